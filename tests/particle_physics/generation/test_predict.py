"""A jet is no heavier than its whole."""

from __future__ import annotations

import numpy as np
from made_up_clouds import made_up

from zoo.particle_physics.generation.metrics import relative_mass
from zoo.particle_physics.generation.predict import limit_mass


def test_a_jet_is_narrowed_until_it_is_no_heavier_than_its_whole():
    jets = made_up(50, 6)
    particles, mask = jets.particles, jets.mask
    mass = relative_mass(particles, mask)
    heaviest = np.where(np.arange(len(jets)) % 2, 0.7, 1.4) * mass
    out = limit_mass(particles, mask, heaviest)
    np.testing.assert_array_equal(out[::2], particles[::2])
    np.testing.assert_allclose(relative_mass(out, mask)[1::2], heaviest[1::2], rtol=0.02)
    np.testing.assert_array_equal(out[..., 2], particles[..., 2])
