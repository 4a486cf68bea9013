"""A network's inputs are those of the published configuration."""

from __future__ import annotations

import numpy as np

from zoo.particle_physics.models.features import FEATURE_SETS, network_inputs


def test_features_are_those_of_the_published_configuration(jets):
    mask, scalars = jets.mask, jets.scalars
    features, vectors = network_inputs(
        jets.particles,
        mask,
        scalars["jet_pt"],
        scalars["jet_energy"],
        names=FEATURE_SETS["full"],
        columns=jets.columns,
    )
    assert features.shape == (21, 40, 17) and vectors.shape == (21, 40, 4)
    pt = np.hypot(jets.column("part_px"), jets.column("part_py"))[mask]
    assert np.allclose(features[..., 0][mask], np.clip((np.log(pt) - 1.7) * 0.7, -5, 5), atol=1e-5)
    distance = np.hypot(jets.column("part_deta"), jets.column("part_dphi"))[mask]
    assert np.allclose(features[..., 4][mask], np.clip((distance - 0.2) * 4.0, -5, 5), atol=1e-5)
    assert np.allclose(
        features[..., FEATURE_SETS["full"].index("part_d0")][mask],
        np.tanh(jets.column("part_d0val")[mask]),
        atol=1e-6,
    )
    assert not features[~mask].any()
