"""Jets of a batch of events: anti-kT clustering (FastJet), the match to the resonance that
makes their class, and their substructure."""

from __future__ import annotations

import dataclasses

import numpy as np

from zoo.particle_physics.simulation.events import (
    EventBatch,
    Flat,
    import_generators,
    pseudorapidity,
    take_lists,
    visible,
)
from zoo.particle_physics.simulation.processes import Process, Selection


@dataclasses.dataclass(frozen=True)
class FoundJets:
    """Jets of a batch: properties `[jet]`, the event of each, and its constituents (indices
    into the batch) by offsets."""

    scalars: Flat
    event: np.ndarray
    constituents: np.ndarray
    offsets: np.ndarray


def cluster(event: EventBatch, selection: Selection) -> FoundJets:
    """Anti-kT jets (Cacciari, Salam & Soyez, arXiv:0802.1189) inside the selection, in the
    order of events and of falling pT."""
    import awkward as ak

    _, fastjet = import_generators()
    c, index = event.columns, visible(event)
    counts = np.bincount(event.of[index], minlength=len(event.offsets) - 1)
    four = {
        new: ak.unflatten(c[old][index], counts)
        for new, old in (("px", "px"), ("py", "py"), ("pz", "pz"), ("E", "e"))
    }
    sequence = fastjet.ClusterSequence(
        ak.zip(four, with_name="Momentum4D"),
        fastjet.JetDefinition(fastjet.antikt_algorithm, selection.radius),
    )
    least = selection.pt[0]
    found, members = sequence.inclusive_jets(min_pt=least), sequence.constituent_index(min_pt=least)
    of = np.repeat(np.arange(len(counts)), ak.to_numpy(ak.num(found.px)))
    px, py, pz, energy = (
        ak.to_numpy(ak.flatten(found[name])).astype(np.float64) for name in ("px", "py", "pz", "E")
    )
    sizes = ak.to_numpy(ak.flatten(ak.num(members, axis=2)))
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
    content = index[ak.to_numpy(ak.flatten(members, axis=None)) + np.repeat(starts[of], sizes)]
    pt, eta, phi = np.hypot(px, py), pseudorapidity(px, py, pz), np.arctan2(py, px)
    central = 0.5 * np.log((energy + pz) / (energy - pz)) if selection.rapidity else eta
    keep = (pt < selection.pt[1]) & (np.abs(central) < selection.eta)
    mass = np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0.0))
    order = np.lexsort((-pt, of))
    order = order[keep[order]]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    chosen, new_offsets = take_lists(content, offsets, order)
    scalars = {"pt": pt, "eta": eta, "phi": phi, "energy": energy, "mass": mass}
    return FoundJets(
        {name: value[order] for name, value in scalars.items()}, of[order], chosen, new_offsets
    )


def decay_products(event: EventBatch, resonance: int) -> tuple[np.ndarray, np.ndarray]:
    """The visible products of a resonance's decay chain: indices, and the sign of the
    resonance that each came from.

    A product is a quark, gluon or charged lepton that left a resonance (status 23) whose
    line of mothers leads back to the one asked for; t and tbar of one event differ by sign.
    """
    c = event.columns
    kind = np.abs(c["id"])
    wanted = (np.abs(c["status"]) == 23) & (
        np.isin(kind, (1, 2, 3, 4, 5, 11, 13, 15)) | (kind == 21)
    )
    first = np.flatnonzero(wanted)
    line = c["mother"][first]
    found = np.zeros(len(first), np.int64)
    start = np.repeat(event.offsets[:-1], np.diff(event.offsets))[first]
    for _ in range(200):
        hit = (kind[line] == resonance) & (found == 0)
        found[hit] = np.sign(c["id"][line[hit]])
        going = (found == 0) & (line > start + 2)
        if not going.any():
            break
        line = np.where(going, c["mother"][line], line)
    return first[found != 0], found[found != 0]


def delta_r(
    eta_a: np.ndarray, phi_a: np.ndarray, eta_b: np.ndarray, phi_b: np.ndarray
) -> np.ndarray:
    """Distance in the (eta, phi) plane, phi wrapped."""
    dphi = np.mod(phi_a - phi_b + np.pi, 2.0 * np.pi) - np.pi
    return np.hypot(eta_a - eta_b, dphi)


def holds_resonance(event: EventBatch, jets: FoundJets, process: Process) -> np.ndarray:
    """Which jets hold all the products of one resonance within their radius, bool `[jet]`."""
    if not process.resonance:
        return np.ones(len(jets.event), bool)
    index, sign = decay_products(event, process.resonance)
    c, of = event.columns, event.of[index]
    eta, phi = (
        pseudorapidity(c["px"][index], c["py"][index], c["pz"][index]),
        np.arctan2(c["py"][index], c["px"][index]),
    )
    good = np.zeros(len(jets.event), bool)
    for which in (-1, 1):
        mine = sign == which
        counts = np.bincount(of[mine], minlength=len(event.offsets) - 1)
        starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
        # Every jet with every product of its event.
        pairs, pair_offsets = take_lists(
            np.flatnonzero(mine), np.append(starts, mine.sum()), jets.event
        )
        jet = np.repeat(np.arange(len(jets.event)), np.diff(pair_offsets))
        near = (
            delta_r(eta[pairs], phi[pairs], jets.scalars["eta"][jet], jets.scalars["phi"][jet])
            < process.selection.radius
        )
        good |= (np.bincount(jet[near], minlength=len(good)) == process.products) & (
            counts[jets.event] == process.products
        )
    return good


def substructure(columns: Flat, offsets: np.ndarray, radius: float) -> Flat:
    """Soft-drop mass and N-subjettiness of jets.

    Soft drop: Larkoski et al., arXiv:1402.2657, beta = 0, z_cut = 0.1 on a Cambridge/Aachen
    tree. tau_N: Thaler & Van Tilburg, arXiv:1108.2701, beta = 1, normalised, one-pass kT
    axes.

    Args:
        columns: `px, py, pz, e` of all constituents, flat.
        offsets: `[jet + 1]`.
        radius: R of the jets.

    Returns:
        `sdmass`, `tau1` .. `tau4` `[jet]`.
    """
    import awkward as ak

    _, fastjet = import_generators()
    names = (("px", "px"), ("py", "py"), ("pz", "pz"), ("E", "e"))
    lists = ak.zip(
        {new: ak.unflatten(columns[old], np.diff(offsets)) for new, old in names},
        with_name="Momentum4D",
    )
    sequence = fastjet.ClusterSequence(
        lists, fastjet.JetDefinition(fastjet.cambridge_algorithm, 10.0 * radius)
    )
    groomed = sequence.exclusive_jets_softdrop_grooming(
        njets=1, beta=0.0, symmetry_cut=0.1, R0=radius
    )
    tau = sequence.njettiness(
        measure_definition="NormalizedMeasure",
        axes_definition="OnePass_KT_Axes",
        njets=[1, 2, 3, 4],
        beta=1.0,
        R0=radius,
    )
    tau = np.asarray(ak.to_numpy(tau), np.float64)
    mass = np.maximum(ak.to_numpy(groomed.msoftdrop).astype(np.float64), 0.0)
    return {"sdmass": mass} | {f"tau{n + 1}": tau[:, n] for n in range(4)}
