"""How the data of particle physics are made: Pythia's processes, jets from events, resumable files."""
