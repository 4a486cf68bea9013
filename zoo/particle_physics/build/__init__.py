"""How the data of particle physics are made: processes, jets from events, resumable files."""
