"""How the data of `climate/held_suarez` are made: dynamical core, build, published files."""
