"""A fourth domain: the water level of a harbour. Everything here is SIMULATED."""
