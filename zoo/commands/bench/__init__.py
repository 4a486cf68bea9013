"""`zoo bench`: predictors on tasks -> per-example records -> scores with intervals -> entries."""
