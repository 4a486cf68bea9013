"""`climate/enso`: forecasts of the observed El Niño, beside the operational centres' own."""
