"""Climate: weather on a simulated planet (Held-Suarez) and the observed El Niño (ENSO)."""
