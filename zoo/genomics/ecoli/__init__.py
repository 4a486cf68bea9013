"""`genomics/ecoli_lm` and `genomics/ecoli_genes`: the observed genome of E. coli K-12."""
