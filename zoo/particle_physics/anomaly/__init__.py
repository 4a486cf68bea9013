"""`particle_physics/anomaly`: a signal that nobody labelled, among dijet events."""
