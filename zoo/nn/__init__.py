"""Layers that two domains or more use, each with a form that is fast on CPU and one for accelerators."""
