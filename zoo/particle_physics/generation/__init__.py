"""`particle_physics/jet_generation`: a network in the simulator's place."""
