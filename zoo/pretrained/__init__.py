"""Pretrained models: cards and weights bound into something that predicts, and how both are
written."""
