"""What a file of jets shows: images that do not know how a jet lies, spectra of the branches that
were read."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import cards, registry
from zoo.interfaces.figures import FILE, FigureFile
from zoo.interfaces.task import load_task
from zoo.particle_physics.data import pictures
from zoo.particle_physics.data.jets import PARTICLE_BRANCHES, Jets


def jets(points: list[tuple[float, float, float]], *, label: int = 0, copies: int = 1) -> Jets:
    """Jets of particles (deta, dphi, pt)."""
    array = np.zeros((copies, len(points), len(PARTICLE_BRANCHES)), np.float32)
    for i, (x, y, pt) in enumerate(points):
        for name, value in (("part_deta", x), ("part_dphi", y), ("part_px", pt)):
            array[:, i, PARTICLE_BRANCHES.index(name)] = value
    scalars = {
        "jet_sdmass": np.full(copies, 85.0, np.float32),
        "jet_nparticles": np.full(copies, len(points), np.float32),
    }
    return Jets(
        array,
        np.ones(array.shape[:2], bool),
        PARTICLE_BRANCHES,
        scalars,
        np.full(copies, label, np.int8),
    )


def test_alignment_does_not_know_how_the_jet_was_turned():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 5, 12)) * [[[0.2]], [[0.05]]]
    share = rng.dirichlet(np.ones(12), 5)
    first = pictures.align(x, y, share)
    angle = 0.7
    other = (
        np.cos(angle) * x - np.sin(angle) * y + 0.1,
        np.sin(angle) * x + np.cos(angle) * y - 0.2,
    )
    np.testing.assert_allclose(pictures.align(*other, share), first, atol=1e-9)
    np.testing.assert_allclose(pictures.align(-x, y, share), first, atol=1e-9)
    spread_x, spread_y = ((share * each**2).sum(1) for each in first)
    assert (spread_y > spread_x).all()
    assert all(((share * (each > 0)).sum(1) >= 0.5).all() for each in first)


def test_two_prongs_stand_upright_with_the_harder_one_above():
    image = pictures.average_images(jets([(0.3, 0.0, 60.0), (-0.3, 0.0, 40.0)])).panels[0]
    cells = np.array([[int(digit) for digit in row] for row in image.rows])
    rows, columns = np.nonzero(cells)
    step = 2 * pictures.REACH / pictures.CELLS
    assert len(rows) == 2 and rows[0] < pictures.CELLS / 2 < rows[1]
    assert (rows[1] - rows[0]) * step == pytest.approx(0.6, abs=1.5 * step)
    assert abs(columns - pictures.CELLS / 2).max() <= 1
    assert cells.max() == len(pictures.LEVELS)


def test_padding_never_changes_an_image():
    bare = jets([(0.3, 0.1, 60.0), (-0.2, 0.0, 40.0), (0.0, 0.2, 10.0)])
    longer = Jets(
        np.pad(bare.particles, ((0, 0), (0, 7), (0, 0))),
        np.pad(bare.mask, ((0, 0), (0, 7))),
        bare.columns,
        bare.scalars,
        bare.label,
    )
    assert pictures.of_jets(longer) == pictures.of_jets(bare)


def test_spectra_are_of_the_branches_that_were_read():
    mass, multiplicity = pictures.distributions(jets([(0, 0, 1)] * 20, label=8))
    assert (mass.name, multiplicity.name) == ("mass", "multiplicity")
    assert (
        mass.series[0].label == "Tbqq"
        and mass.series[0].values[8] == 1.0
        and sum(mass.series[0].values) == 1.0
    )


def test_jets_without_labels_are_refused():
    with pytest.raises(ValueError, match="none of the 3 jets has a label"):
        pictures.of_jets(jets([(0, 0, 1)], label=-1, copies=3))


@pytest.mark.slow
def test_the_pictures_beside_the_card_are_those_of_the_test_file(mirror_file):
    path = mirror_file("particle_physics/jet_tagging", "test.root").parent / FILE
    kept = cards.read(path, FigureFile)
    card = registry.dataset("particle_physics/jet_tagging")
    assert kept.made_from == {file.name: file.sha256 for file in card.file}
    assert kept.figure == load_task("particle_physics/jet_tagging").sample_figures()
