"""The benchmarks of genomics, one file per family."""
