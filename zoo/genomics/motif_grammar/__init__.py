"""`genomics/motif_grammar`: simulated sequences with planted motifs, and which model
explains itself."""
