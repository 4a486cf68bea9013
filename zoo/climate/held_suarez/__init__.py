"""`climate/held_suarez`: weather on a simulated planet, and its climate after 100 days."""
