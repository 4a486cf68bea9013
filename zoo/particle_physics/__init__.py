"""Particle physics: jets simulated with Pythia, in ROOT files, tagged, generated and
searched for anomalies.

Families: `tagging` (jet, top and quark/gluon tagging, and the field's public sets), `anomaly`
(resonances among dijet events), `generation` (a generator in place of the simulator); each has
`task`, `metrics`, `baselines`, `predict`, `recipes`, `train`, `build`. What they share:
`simulation` makes jets and events, `data` reads ROOT and the public sets into `data.jets.Jets`,
`models` are the networks and the features that they see, `weights` the pretrained ones. `audit`,
`explain` and `finetune` stand behind the commands of that name.
"""
