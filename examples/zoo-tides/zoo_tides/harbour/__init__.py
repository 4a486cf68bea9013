"""`tides/harbour`: the level of a simulated harbour up to 24 hours ahead."""
