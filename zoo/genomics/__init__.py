"""Genomics: DNA sequences, what is written in them, and which model explains itself."""
