"""What point clouds of jets look like, as plain data (`zoo.interfaces.figures`)."""

from __future__ import annotations

import numpy as np

from zoo.interfaces.figures import Figure
from zoo.particle_physics.data.pictures import PARTICLE_EDGES, images_of_particles, spectra
from zoo.particle_physics.generation.data import CLASSES, CONDITIONS, PointClouds

JET_MASS_EDGES = np.arange(0.0, 301.0, 10.0)


def of_clouds(clouds: PointClouds) -> list[Figure]:
    """The average jet of each class of point clouds (of the particles kept), their mass and
    their multiplicity before any was cut off."""
    particles, classes = clouds.particles, list(enumerate(CLASSES))
    images = images_of_particles(
        particles[..., 0],
        particles[..., 1],
        particles[..., 2].astype(np.float64),
        clouds.mask,
        clouds.label,
        classes,
        what=f"the pT of a jet's {clouds.codes.shape[1]} hardest particles",
    )
    found: list[Figure] = [images]
    for column, edges, name, title, x_label in (
        ("jet_mass", JET_MASS_EDGES, "mass", "Jet mass", "mass of the whole jet (GeV)"),
        (
            "jet_nparticles",
            PARTICLE_EDGES,
            "multiplicity",
            "Multiplicity",
            "particles in the whole jet",
        ),
    ):
        value = clouds.conditions[:, CONDITIONS.index(column)]
        found.append(
            spectra(value, clouds.label, classes, edges, name=name, title=title, x_label=x_label)
        )
    return found
