"""Composition, k-mers and the lookup of the mouse sets' leak: nothing learned by gradient
through a network."""
