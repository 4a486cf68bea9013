"""Scores of masked-language models and of gene labels: pure functions of arrays."""
