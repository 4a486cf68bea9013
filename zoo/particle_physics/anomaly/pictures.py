"""What dijet events and cuts on them look like, as plain data (`zoo.interfaces.figures`)."""

from __future__ import annotations

import numpy as np

from zoo.interfaces.figures import Histogram, Histograms, Lines, Mark
from zoo.particle_physics.anomaly.data import PROCESSES, SIGNAL_REGION, Dijets
from zoo.particle_physics.data.pictures import round_digits, rounded_list
from zoo.particle_physics.data.poisson import poisson_interval

DIJET_EDGES = np.arange(2300.0, 5001.0, 50.0)
DIJET_LABELS = {"qcd": "QCD", "wprime": "W'(3.5 TeV) to WZ", "zprime": "Z'(3.5 TeV) to tt"}


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
    low, high = (each / after.sum() / width for each in poisson_interval(after))
    marks = [
        Mark(
            x=float(centre[i]),
            y=round_digits(share[i]),
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
        x=rounded_list(centre[given]),
        y=rounded_list(share[given]),
        low=rounded_list(low[given]),
        high=rounded_list(high[given]),
        marks=marks,
        reference_label="before the cut",
        reference_x=rounded_list(centre[there]),
        reference_y=rounded_list((before / before.sum() / width)[there]),
    )


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
        edges=rounded_list(DIJET_EDGES),
        series=[
            Histogram(label=label, values=rounded_list(one))
            for label, one in zip(labels, counts, strict=True)
        ],
    )
