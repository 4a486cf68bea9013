"""A digest sees names, types, shapes and values, and not the size of a batch."""

from __future__ import annotations

import numpy as np
import pytest
from pythia_files import needs_pythia

from zoo.particle_physics.data.jets import LABELS
from zoo.particle_physics.simulation.generator import generate_jets
from zoo.particle_physics.simulation.jet_files import content_digest, jet_arrays
from zoo.particle_physics.simulation.processes import PROCESSES


def test_digests_see_names_types_shapes_and_values():
    a = {"x": np.arange(4.0), "n": np.int64(1)}
    changed = [
        {"y": np.arange(4.0), "n": np.int64(1)},
        {"x": np.arange(4, dtype=np.float32), "n": np.int64(1)},
        {"x": np.arange(4.0).reshape(2, 2), "n": np.int64(1)},
        {"x": np.arange(4.0) + 1e-12, "n": np.int64(1)},
    ]
    digests = {content_digest(each) for each in (a, *changed)}
    assert len(digests) == 5
    assert content_digest(dict(reversed(a.items()))) == content_digest(a)


@needs_pythia
@pytest.mark.parametrize("name", ["Tbqq", "Hqql"])
def test_one_seed_gives_one_digest_whatever_the_batch_size(pythia, name):
    digests = []
    for batch in (37, 110):
        columns, offsets, scalars = generate_jets(PROCESSES[name], 12, seed=4242, batch=batch)
        digests.append(
            content_digest(
                jet_arrays(columns, offsets, scalars, [name] * 12, LABELS) | {"offsets": offsets}
            )
        )
    assert digests[0] == digests[1]
