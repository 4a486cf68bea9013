"""Architectures of the genomics models, one file each."""
