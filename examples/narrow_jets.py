"""A model in one file, for
`zoo submit particle_physics/quark_gluon --model examples/narrow_jets.py:narrow`.

`narrow(task)` is called once with the task and gives what predicts; that is called with the
task's test inputs (`Jets`) and gives a score for each, higher for what is more like a
quark. `zoo info particle_physics/quark_gluon` says what a task wants.
"""

from __future__ import annotations

import numpy as np


def narrow(task):
    """Jets by their girth: quarks are narrower than gluons."""

    def predict(jets):
        pt = np.hypot(jets.column("part_px"), jets.column("part_py")) * jets.mask
        away = np.hypot(jets.column("part_deta"), jets.column("part_dphi"))
        return {"score": -(pt * away).sum(1) / np.maximum(pt.sum(1), 1e-6)}

    return predict
