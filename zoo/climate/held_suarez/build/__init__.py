"""How the data of `climate/held_suarez` are made: the core, a resumable build, the published files."""
