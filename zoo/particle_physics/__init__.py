"""Particle physics: no task is shipped yet. What is planned stands in the project's issues; nothing here pretends to work."""
