"""Markov chains, hexamers and a hidden Markov model: nothing learned by gradient."""
