"""`genomics/gue` and its mouse sets: observed binding sites and promoters, one score a set."""
