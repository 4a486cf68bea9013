"""The benchmarks of particle physics, one file per family."""
