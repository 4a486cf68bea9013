"""Particle physics: jets simulated with Pythia, in ROOT files, tagged, generated and
searched for anomalies.

Rooms: `simulate` (and `processes`, `generator`) makes the data; `data` (and `root`,
`padding`, `stream`, `foreign`) reads ROOT and the field's public sets into `jets.Jets`;
`features` standardises; `models` are the networks; `tasks`, `metrics`, `baselines` the
benchmarks; `training*`, `predict*`, `publish*` make and use pretrained models; `published`
reads weights that others trained.
"""
