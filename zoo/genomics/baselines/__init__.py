"""Predictors with nothing learned by gradient through a network, one file per family of tasks."""
