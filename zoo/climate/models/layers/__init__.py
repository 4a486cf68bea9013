"""Layers on the longitude-latitude grid, each with a form that is fast on CPU and one for
accelerators."""
