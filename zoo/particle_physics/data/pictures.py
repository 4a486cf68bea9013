"""What jets look like, as plain data (`zoo.interfaces.figures`): average images and spectra.

    from zoo.particle_physics.data import pictures, read_jets

    figures = pictures.of_jets(read_jets("folder-or-file"))

`zoo figures particle_physics/jet_tagging` draws them into files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.interfaces.figures import Figure, Histogram, Histograms, Image, Images

if TYPE_CHECKING:
    from zoo.particle_physics.data.jets import Jets

REACH, CELLS = 0.6, 30
"""Jet images: half the width in rad, and cells a side."""
LEVELS = (1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2)
"""Jet images: mean shares of the jet's pT."""
MASS_EDGES = np.arange(0.0, 251.0, 10.0)
TAU32_EDGES = np.linspace(0.0, 1.0, 21)
PARTICLE_EDGES = np.arange(0.0, 145.0, 8.0)


def of_jets(jets: Jets) -> list[Figure]:
    """Everything below of labelled jets: the average image, and the spectra for which the
    file has branches."""
    return [average_images(jets), *distributions(jets)]


def average_images(jets: Jets) -> Images:
    """The average jet of each class: mean share of the jet's pT by cell of (deta, dphi),
    after the usual alignment.

    Every jet is centred on its pT-weighted mean, turned so that the axis of its largest
    pT-weighted spread is upright, and mirrored so that the upper and the right half hold
    more pT (de Oliveira et al. 2016, arXiv:1511.05190, with the principal axis for the two
    subjets). Without this every average is a round blot.
    """
    pt = np.hypot(jets.column("part_px"), jets.column("part_py")).astype(np.float64)
    place = jets.column("part_deta"), jets.column("part_dphi")
    return images_of_particles(
        *place, pt, jets.mask, jets.label, _present(jets), what="the jet's pT"
    )


def images_of_particles(
    deta: np.ndarray,
    dphi: np.ndarray,
    pt: np.ndarray,
    mask: np.ndarray,
    label: np.ndarray,
    classes: Sequence[tuple[int, str]],
    *,
    what: str,
) -> Images:
    """`average_images` of particles `[jet, particle]`, labels `[jet]` and (number, name) of
    the classes; `what` is shared."""
    share = np.where(mask, pt, 0.0)
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-30)
    x, y = align(deta.astype(np.float64), dphi.astype(np.float64), share)
    column, row = (np.floor((each + REACH) / (2 * REACH) * CELLS).astype(int) for each in (x, -y))
    inside = (column >= 0) & (column < CELLS) & (row >= 0) & (row < CELLS) & mask
    panels = []
    for number, name in classes:
        chosen = inside & (label == number)[:, None]
        place = row[chosen] * CELLS + column[chosen]
        mean = np.bincount(place, share[chosen], minlength=CELLS * CELLS) / (label == number).sum()
        level = np.searchsorted(LEVELS, mean, side="right").reshape(CELLS, CELLS)
        panels.append(Image(label=name, rows=["".join(map(str, line)) for line in level]))
    return Images(
        name="average_images",
        title="The average jet of each class",
        caption=(
            f"Mean share of {what} by cell, {len(label)} SIMULATED jets. Each jet was centred, "
            "turned so that its longest axis is upright, and mirrored so that the upper and the "
            f"right half are the harder ones. Each square is {2 * REACH:g} wide in pseudorapidity "
            "and in azimuth (rad)."
        ),
        x_label="across (rad)",
        y_label="along the longest axis (rad)",
        level_label="mean share of pT per cell, from",
        levels=list(LEVELS),
        reach=REACH,
        panels=panels,
    )


def align(x: np.ndarray, y: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Particles' places `[jet, particle]`, centred, turned and mirrored as `average_images`
    says; shares sum to one over particles."""
    x, y = (each - (share * each).sum(axis=1, keepdims=True) for each in (x, y))
    xx, yy, xy = ((share * each).sum(axis=1) for each in (x * x, y * y, x * y))
    # from the axis of largest spread to the upright
    angle = np.pi / 2 - 0.5 * np.arctan2(2 * xy, xx - yy)
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y = cosine * x - sine * y, sine * x + cosine * y
    x, y = (
        np.where((share * (each > 0)).sum(axis=1, keepdims=True) < 0.5, -each, each)
        for each in (x, y)
    )
    return x, y


def distributions(jets: Jets) -> list[Histograms]:
    """Spectra of soft-drop mass, tau32 and multiplicity by class; those whose branches were
    not read are left out."""
    found = []
    scalars = jets.scalars
    if "jet_sdmass" in scalars:
        found.append(
            spectrum(
                jets,
                scalars["jet_sdmass"],
                MASS_EDGES,
                "mass",
                "Soft-drop mass",
                "soft-drop mass (GeV)",
            )
        )
    if {"jet_tau2", "jet_tau3"} <= scalars.keys():
        tau2 = scalars["jet_tau2"]
        ratio = np.where(tau2 > 0, scalars["jet_tau3"] / np.where(tau2 > 0, tau2, 1.0), 0.0)
        found.append(
            spectrum(
                jets,
                ratio,
                TAU32_EDGES,
                "tau32",
                "N-subjettiness ratio tau32",
                "tau32 = tau3 / tau2",
            )
        )
    if "jet_nparticles" in scalars:
        found.append(
            spectrum(
                jets,
                scalars["jet_nparticles"],
                PARTICLE_EDGES,
                "multiplicity",
                "Multiplicity",
                "particles in the jet",
            )
        )
    return found


def spectrum(
    jets: Jets, value: np.ndarray, edges: np.ndarray, name: str, title: str, x_label: str
) -> Histograms:
    """One histogram per class: the share of its jets in each bin; jets beyond the last edge
    are in no bin, but counted."""
    return spectra(
        value, jets.label, _present(jets), edges, name=name, title=title, x_label=x_label
    )


def spectra(
    value: np.ndarray,
    label: np.ndarray,
    classes: Sequence[tuple[int, str]],
    edges: np.ndarray,
    *,
    name: str,
    title: str,
    x_label: str,
) -> Histograms:
    """`spectrum` of values and labels `[jet]` and (number, name) of the classes."""
    series = []
    for number, of_class in classes:
        mine = value[label == number]
        series.append(
            Histogram(label=of_class, values=rounded_list(np.histogram(mine, edges)[0] / len(mine)))
        )
    beyond = float((value > edges[-1]).mean())  # numpy's last bin holds its upper end
    note = f" {100 * beyond:.1f} % of the jets lie beyond the last bin." if beyond >= 0.0005 else ""
    caption = f"Share of each class's SIMULATED jets in each bin, {len(label)} jets in all.{note}"
    return Histograms(
        name=name,
        title=title,
        caption=caption,
        x_label=x_label,
        y_label="share of jets",
        edges=rounded_list(edges),
        series=series,
    )


def _present(jets: Jets) -> list[tuple[int, str]]:
    """Number and name of the classes that have jets.

    Raises:
        ValueError: no jet has a label.
    """
    found = [
        (number, name) for number, name in enumerate(jets.classes) if (jets.label == number).any()
    ]
    if not found:
        raise ValueError(
            f"none of the {len(jets)} jets has a label; pictures are made by class: "
            f"{', '.join(jets.classes)}"
        )
    return found


def round_digits(value: float) -> float:
    """A number with five digits: enough for a picture."""
    return float(f"{value:.5g}")


def rounded_list(values: np.ndarray) -> list[float]:
    """Numbers with five digits: enough for a picture."""
    return [round_digits(value) for value in np.asarray(values, np.float64)]
