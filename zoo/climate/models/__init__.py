"""Architectures of the climate models, one file each."""
