"""Predictors with nothing learned by gradient, one file per task."""
