"""How the data of particle physics are simulated: Pythia events into jets, jets into files.

`processes` says what Pythia is asked for, `events`, `clustering`, `constituents` and `generator`
make jets of it, `plan` names a dataset's files, `jet_files` writes them, `simulate` does it all.
It knows the names in `data.jets` and nothing of a family; the families' `build` modules call
`simulate`, and `anomaly.data` reads the columns and processes of dijet events from here.
"""
