"""Architectures over jets and events, one file each, and the features that they see."""
