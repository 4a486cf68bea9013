"""How the data of `climate/held_suarez` are made: the dynamical core, a resumable build, the published files."""
