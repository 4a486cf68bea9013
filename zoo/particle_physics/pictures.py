"""What jets and their taggers look like, as plain data (`zoo.interfaces.figures`): ROC
curves, confusion, sculpting, average jet images, spectra.

    from zoo.particle_physics import pictures
    from zoo.particle_physics.data import read as data

    figures = pictures.of_jets(data.read_jets("folder-or-file"))

`zoo figures particle_physics/jet_tagging` draws them into files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.interfaces.figures import Figure, Grid, Histogram, Histograms, Image, Images, Lines, Mark
from zoo.particle_physics.anomaly.data import PROCESSES, SIGNAL_REGION
from zoo.particle_physics.generation.data import CLASSES as POINT_CLOUD_CLASSES
from zoo.particle_physics.generation.data import CONDITIONS
from zoo.particle_physics.tagging import metrics as classification

if TYPE_CHECKING:
    from zoo.particle_physics.anomaly.data import Dijets
    from zoo.particle_physics.data.jets import Jets
    from zoo.particle_physics.generation.data import PointClouds

EFFICIENCIES = np.round(np.arange(0.01, 1.0001, 0.01), 2)
"""Signal efficiencies at which a ROC curve is drawn."""
REACH, CELLS = 0.6, 30
"""Jet images: half the width in rad, and cells a side."""
LEVELS = (1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2)
"""Jet images: mean shares of the jet's pT."""
MASS_EDGES = np.arange(0.0, 251.0, 10.0)
TAU32_EDGES = np.linspace(0.0, 1.0, 21)
PARTICLE_EDGES = np.arange(0.0, 145.0, 8.0)
JET_MASS_EDGES = np.arange(0.0, 301.0, 10.0)
DIJET_EDGES = np.arange(2300.0, 5001.0, 50.0)
DIJET_LABELS = {"qcd": "QCD", "wprime": "W'(3.5 TeV) to WZ", "zprime": "Z'(3.5 TeV) to tt"}


def roc(
    score: np.ndarray,
    signal: np.ndarray,
    background: np.ndarray,
    *,
    names: tuple[str, str],
    points: Sequence[float],
    name: str = "roc",
) -> Lines | None:
    """Background rejection 1/eB against signal efficiency, as far as ten background jets
    survive; None where they never do.

    Args:
        score: `[jet]`, higher means more like signal; finite where `signal` or `background`.
        signal, background: bool `[jet]`.
        names: of signal and background.
        points: efficiencies at which the surviving jets are told.
        name: of the figure.
    """
    ones = np.ones((len(score), 1))
    found = classification.rejection(score, signal, background, ones, EFFICIENCIES)
    shown = np.isfinite(found["value"])
    if not shown.any():
        return None
    x, y = EFFICIENCIES[shown], found["value"][shown]
    left = found["survivors"][shown].astype(int)
    total = int(background.sum())
    marked = sorted(
        {
            0,
            *(
                int(np.argmin(np.abs(x - point)))
                for point in points
                if np.abs(x - point).min() < 0.005
            ),
        }
    )
    low, high = found["low"][shown], found["high"][shown]
    marks = [
        Mark(
            x=float(x[i]),
            y=_round(y[i]),
            short=f"{left[i]} left",
            text=f"efficiency {x[i]:g}: 1/eB = {y[i]:.4g} [{low[i]:.4g}, {high[i]:.4g}], "
            f"{left[i]} of {total} {names[1]} jets left",
        )
        for i in marked
    ]
    return Lines(
        name=name,
        title=f"ROC curve: {names[0]} against {names[1]}",
        caption=(
            f"Rejection of {names[1]} 1/eB (logarithmic) against the share of {names[0]} kept. A "
            f"line begins where ten of the {total} {names[1]} jets survive: below that it would be "
            "luck. Marks tell how many survive; bands are Garwood's 95 % intervals of that number. "
            "No interpolation: the cut is the first threshold, coming down, that keeps the wanted "
            "share."
        ),
        x_label=f"{names[0]} efficiency",
        y_label=f"{names[1]} rejection 1/eB",
        log_y=True,
        x=x.tolist(),
        y=_listed(y),
        low=_listed(found["low"][shown]),
        high=_listed(found["high"][shown]),
        marks=marks,
        reference_label="a random score",
        reference_x=EFFICIENCIES[4:].tolist(),
        reference_y=_listed(1 / EFFICIENCIES[4:]),
    )


def confusion(predicted: np.ndarray, label: np.ndarray, classes: Sequence[str]) -> Grid:
    """How jets of each true class are spread over the predicted ones; rows sum to one."""
    n = len(classes)
    counts = np.bincount(label.astype(int) * n + predicted, minlength=n * n).reshape(n, n)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return Grid(
        name="confusion",
        title="Confusion matrix",
        caption=(
            "Share of the nominal jets of each true class (rows) whose most probable class is the "
            "column's; every row sums to one."
        ),
        row_label="true class",
        column_label="predicted class",
        rows=list(classes),
        columns=list(classes),
        values=[_listed(line) for line in shares],
    )


def sculpting(
    before: np.ndarray, after: np.ndarray, edges: np.ndarray, *, rate: float
) -> Lines | None:
    """The background's dijet mass after a cut, beside that before it, both as shares per
    100 GeV; bins that nothing survives are left out.

    Args:
        before, after: events by bin `[bin]`.
        edges: `[bin + 1]` in GeV.
        rate: of the background, what the cut keeps.
    """
    if not after.sum():
        return None
    centre, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 100.0
    there, given = before > 0, after > 0
    share = after / after.sum() / width
    low, high = (each / after.sum() / width for each in classification.poisson_interval(after))
    marks = [
        Mark(
            x=float(centre[i]),
            y=_round(share[i]),
            short="",
            text=f"{edges[i]:g}-{edges[i + 1]:g} GeV: {after[i]:g} events kept of {before[i]:g}",
        )
        for i in np.flatnonzero(given)
    ]
    return Lines(
        name="sculpting",
        title="What a cut does to the background's mass spectrum",
        caption=(
            "Dijet mass of QCD alone, as shares per 100 GeV, after a cut that keeps "
            f"{100 * rate:g} % of it (of a method's two cuts the one that changes it more, of its "
            "seeds the one in the middle). A line that follows the dotted one, the spectrum before "
            "any cut, sculpts nothing; one that makes a bump would fake a resonance. Bands are "
            "95 % Poisson intervals."
        ),
        x_label="dijet mass (GeV)",
        y_label="share per 100 GeV",
        log_y=True,
        x=_listed(centre[given]),
        y=_listed(share[given]),
        low=_listed(low[given]),
        high=_listed(high[given]),
        marks=marks,
        reference_label="before the cut",
        reference_x=_listed(centre[there]),
        reference_y=_listed((before / before.sum() / width)[there]),
    )


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
    return _averages(*place, pt, jets.mask, jets.label, _present(jets), what="the jet's pT")


def _averages(
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
    x, y = aligned(deta.astype(np.float64), dphi.astype(np.float64), share)
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


def of_clouds(clouds: PointClouds) -> list[Figure]:
    """The average jet of each class of point clouds (of the particles kept), their mass and
    their multiplicity before any was cut off."""
    particles, classes = clouds.particles, list(enumerate(POINT_CLOUD_CLASSES))
    images = _averages(
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
            _spectrum(value, clouds.label, classes, edges, name=name, title=title, x_label=x_label)
        )
    return found


def dijet_spectrum(events: Dijets) -> Histograms:
    """Events by dijet mass and process, as many as the test file has."""
    counts = [
        np.histogram(events.mjj[events.process == number], DIJET_EDGES)[0]
        for number in range(len(PROCESSES))
    ]
    labels = [
        f"{DIJET_LABELS[name]}: {one.sum()} events"
        for name, one in zip(PROCESSES, counts, strict=True)
    ]
    low, high = SIGNAL_REGION
    return Histograms(
        name="dijet_mass",
        title="Dijet mass of the test events",
        caption=(
            f"Counts of the {len(events)} SIMULATED test events by dijet mass (logarithmic): QCD "
            "as it falls (at the left the cut on the leading jet bends it), and the two resonances "
            f"in the signal region, {low:g} to {high:g} GeV. The file holds no signal outside of "
            "it, and how many events there are of each process means nothing. Empty bins stand on "
            "the lower edge."
        ),
        x_label="dijet mass (GeV)",
        y_label="events per 50 GeV",
        log_y=True,
        edges=_listed(DIJET_EDGES),
        series=[
            Histogram(label=label, values=_listed(one))
            for label, one in zip(labels, counts, strict=True)
        ],
    )


def aligned(x: np.ndarray, y: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Particles' places `[jet, particle]`, centred, turned and mirrored as `average_images`
    says; shares sum to one over particles."""
    x, y = (each - (share * each).sum(axis=1, keepdims=True) for each in (x, y))
    xx, yy, xy = ((share * each).sum(axis=1) for each in (x * x, y * y, x * y))
    # from the axis of largest spread to the upright
    angle = np.pi / 2 - 0.5 * np.arctan2(2 * xy, xx - yy)
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y = cosine * x - sine * y, sine * x + cosine * y
    return tuple(
        np.where((share * (each > 0)).sum(axis=1, keepdims=True) < 0.5, -each, each)
        for each in (x, y)
    )


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
    return _spectrum(
        value, jets.label, _present(jets), edges, name=name, title=title, x_label=x_label
    )


def _spectrum(
    value: np.ndarray,
    label: np.ndarray,
    classes: Sequence[tuple[int, str]],
    edges: np.ndarray,
    *,
    name: str,
    title: str,
    x_label: str,
) -> Histograms:
    series = []
    for number, of_class in classes:
        mine = value[label == number]
        series.append(
            Histogram(label=of_class, values=_listed(np.histogram(mine, edges)[0] / len(mine)))
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
        edges=_listed(edges),
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


def _round(value: float) -> float:
    return float(f"{value:.5g}")


def _listed(values: np.ndarray) -> list[float]:
    """Numbers with five digits: enough for a picture."""
    return [_round(value) for value in np.asarray(values, np.float64)]
