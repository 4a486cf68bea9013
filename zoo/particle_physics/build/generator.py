"""Pythia events into jets, whole batches at a time: no Python loop over events or particles.

    events (Pythia.nextBatch, one awkward array) -> visible particles
        -> anti-kT jets (FastJet) -> truth match
        -> constituents, soft-drop mass, N-subjettiness -> flat arrays

Truth level: hadrons, photons and leptons as Pythia leaves them, no detector and no pile-up.
Tracks alone are measured: the impact parameters of charged particles are smeared with a
resolution like that of a silicon tracker (`track_resolution`), because exact ones would
name every b hadron.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from zoo.particle_physics.build.processes import LEADING_PT, Process, Selection

PYTHIA = "8.317.2"
NEUTRINOS = (12, 14, 16)
MAX_ETA = 5.0
"""Greatest |pseudorapidity| of a visible particle."""

MOMENTUM_BITS, ENERGY_BITS, DISPLACEMENT_BITS = 11, 14, 6
"""Bits of mantissa that are stored: momenta to 2^-12 of their value (no tracker measures
better), half of the bytes of full ones."""

Flat = dict[str, np.ndarray]


def import_generators() -> tuple[Any, Any]:
    """The modules `pythia8mc` and `fastjet`.

    Raises:
        ImportError: the extra `generate` is not installed; says how.
    """
    try:
        import fastjet
        import pythia8mc
    except ImportError as error:
        raise ImportError(
            f'simulating jets needs Pythia {PYTHIA} and FastJet: pip install "scizoo[generate]"'
        ) from error
    return pythia8mc, fastjet


def make_pythia(process: Process, variant: int, *, seed: int, extra: tuple[str, ...] = ()) -> Any:
    """An initialised generator.

    Args:
        process: the class of jets.
        variant: which of its settings.
        seed: 1 .. 900,000,000, Pythia's range.
        extra: settings that come last (a shift).

    Raises:
        ValueError: Pythia knows no such setting.
    """
    if not 1 <= seed <= 900_000_000:
        raise ValueError(f"seed={seed} is outside Pythia's range 1 .. 900000000")
    pythia8mc, _ = import_generators()
    pythia = pythia8mc.Pythia("", False)
    fixed = (
        "Print:quiet=on",
        f"Beams:eCM={process.energy}",
        "Random:setSeed=on",
        f"Random:seed={seed}",
    )
    for line in (*fixed, *process.settings[variant], *extra):
        if not pythia.readString(line):
            raise ValueError(f"Pythia {PYTHIA} does not understand the setting {line!r}")
    if not pythia.init():
        raise ValueError(f"Pythia {PYTHIA} could not start with {process.settings[variant]}")
    return pythia


@dataclasses.dataclass(frozen=True)
class EventBatch:
    """A batch of events as flat arrays over particles."""

    columns: Flat
    offsets: np.ndarray

    @property
    def of(self) -> np.ndarray:
        """The event of each particle."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


def flatten(batch: Any) -> EventBatch:
    """A batch of `Pythia.nextBatch` as flat arrays: id, status, mother (index into the flat
    arrays), px .. e, m, x, y, z (mm)."""
    import awkward as ak

    particles = batch.prt
    counts = ak.to_numpy(ak.num(particles.id))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    flat = {
        name: ak.to_numpy(ak.flatten(particles[name])) for name in ("id", "status", "mother1", "m")
    }
    flat |= {name: ak.to_numpy(ak.flatten(particles.p[name])) for name in ("px", "py", "pz", "e")}
    vertex = {
        axis: ak.flatten(particles.vProd[name])
        for axis, name in (("x", "px"), ("y", "py"), ("z", "pz"))
    }
    flat |= {axis: ak.to_numpy(ak.fill_none(value, 0.0)) for axis, value in vertex.items()}
    flat["mother"] = flat.pop("mother1") + np.repeat(offsets[:-1], counts)
    return EventBatch(flat, offsets)


def pseudorapidity(px: np.ndarray, py: np.ndarray, pz: np.ndarray) -> np.ndarray:
    """eta = asinh(pz / pT); along the beam +-inf."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.arcsinh(pz / np.hypot(px, py))  # the empty line 0 of an event: nan


def visible(event: EventBatch) -> np.ndarray:
    """Indices of stable particles but neutrinos, |eta| < 5."""
    c = event.columns
    eta = pseudorapidity(c["px"], c["py"], c["pz"])
    return np.flatnonzero(
        (c["status"] > 0) & ~np.isin(np.abs(c["id"]), NEUTRINOS) & (np.abs(eta) < MAX_ETA)
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


def take_lists(
    content: np.ndarray, offsets: np.ndarray, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Some of the lists of (content, offsets), in the given order."""
    sizes = np.diff(offsets)[order]
    new = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    inside = np.arange(new[-1]) - np.repeat(new[:-1], sizes)
    return content[np.repeat(offsets[:-1][order], sizes) + inside], new


def matched(event: EventBatch, jets: FoundJets, process: Process) -> np.ndarray:
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


def round_mantissa(value: np.ndarray, bits: int) -> np.ndarray:
    """float32 with `bits` bits of mantissa, rounded to nearest."""
    drop = 23 - bits
    raw = np.ascontiguousarray(value, np.float32).view(np.uint32).astype(np.uint64)
    raw = ((raw + (1 << (drop - 1))) >> drop) << drop
    return raw.astype(np.uint32).view(np.float32)


def track_resolution(pt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations (mm) of d0 and dz of a track of transverse momentum `pt` (GeV).

    A constant and a multiple-scattering term, hypot(15, 80/pT) and hypot(30, 150/pT)
    micrometres: of the size that the CMS tracker reaches (arXiv:1405.6569, fig. 14),
    nobody's exact parametrisation.
    """
    return np.hypot(0.015, 0.08 / pt), np.hypot(0.03, 0.15 / pt)


def constituents(
    event: EventBatch, jets: FoundJets, keep: np.ndarray, charge_of: Any
) -> tuple[Flat, np.ndarray]:
    """The constituents of the kept jets, hardest first: JetClass's columns but deta and
    dphi, displacements still exact."""
    index, offsets = take_lists(jets.constituents, jets.offsets, np.flatnonzero(keep))
    c = event.columns
    pt = np.hypot(c["px"][index], c["py"][index])
    jet = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    index = index[np.lexsort((index, -pt, jet))]
    kinds, inverse = np.unique(c["id"][index], return_inverse=True)
    charge = (
        np.array([charge_of(int(kind)) for kind in kinds], np.float32)[inverse]
        if len(kinds)
        else np.zeros(0, np.float32)
    )
    px, py, pz = (round_mantissa(c[name][index], MOMENTUM_BITS) for name in ("px", "py", "pz"))
    energy = np.sqrt(
        c["m"][index] ** 2
        + px.astype(np.float64) ** 2
        + py.astype(np.float64) ** 2
        + pz.astype(np.float64) ** 2
    )
    pt, kind = np.hypot(px, py).astype(np.float64), np.abs(c["id"][index])
    x, y, z = c["x"][index], c["y"][index], c["z"][index]
    charged, electron, muon = charge != 0, kind == 11, kind == 13
    return {
        "px": px,
        "py": py,
        "pz": pz,
        "energy": round_mantissa(energy, ENERGY_BITS),
        "d0val": np.where(charged, (x * py - y * px) / pt, 0.0),
        "dzval": np.where(charged, z - (x * px + y * py) / pt * (pz / pt), 0.0),
        "charge": charge,
        "isChargedHadron": charged & ~electron & ~muon,
        "isNeutralHadron": ~charged & (kind != 22),
        "isPhoton": kind == 22,
        "isElectron": electron,
        "isMuon": muon,
    }, offsets


def measure_tracks(columns: Flat, *, seed: int) -> Flat:
    """Adds the tracker's errors `d0err`, `dzerr` (mm) and smears `d0val`, `dzval` by them;
    neutral particles have zeros."""
    rng = np.random.default_rng([seed, 0x7AC4])
    charged = columns["charge"] != 0
    pt = np.hypot(columns["px"], columns["py"]).astype(np.float64)
    out = dict(columns)
    for name, error in zip(("d0", "dz"), track_resolution(pt), strict=True):
        error = np.where(charged, error, 0.0)
        out[f"{name}val"] = round_mantissa(
            columns[f"{name}val"] + error * rng.standard_normal(len(error)), DISPLACEMENT_BITS
        )
        out[f"{name}err"] = round_mantissa(error, DISPLACEMENT_BITS)
    return out


def generate_jets(
    process: Process, count: int, *, seed: int, extra: tuple[str, ...] = (), batch: int = 250
) -> tuple[Flat, np.ndarray, Flat]:
    """The first `count` jets of a class that a seed yields; equal for every batch size.

    Returns:
        Constituents (flat), offsets `[count + 1]`, and jet properties `[count]`:
        JetClass's, `mass`, and `event`.
    """
    parts = []
    for variant in range(len(process.settings)):
        wanted = count * (variant + 1) // len(process.settings) - count * variant // len(
            process.settings
        )
        if wanted:
            batches = _batches(process, variant, seed=seed + variant, extra=extra, batch=batch)
            parts.append(_first(batches, wanted))
    columns, offsets, scalars = _join(parts)
    return measure_tracks(columns, seed=seed), offsets, scalars


def _batches(
    process: Process, variant: int, *, seed: int, extra: tuple[str, ...], batch: int
) -> Iterator[tuple[Flat, np.ndarray, Flat]]:
    pythia = make_pythia(process, variant, seed=seed, extra=extra)
    done = 0
    while True:
        event = flatten(pythia.nextBatch(batch))
        jets = cluster(event, process.selection)
        keep = matched(event, jets, process)
        columns, offsets = constituents(event, jets, keep, pythia.particleData.charge)
        scalars = {name: value[keep] for name, value in jets.scalars.items()} | {
            "nparticles": np.diff(offsets)
        }
        scalars["event"] = (jets.event[keep] + done).astype(np.int64) * len(
            process.settings
        ) + variant
        if len(offsets) > 1:
            members, _ = take_lists(jets.constituents, jets.offsets, np.flatnonzero(keep))
            exact = {name: event.columns[name][members] for name in ("px", "py", "pz", "e")}
            scalars |= substructure(exact, offsets, process.selection.radius)
            yield columns, offsets, scalars
        done += len(event.offsets) - 1


def _first(
    batches: Iterator[tuple[Flat, np.ndarray, Flat]], count: int
) -> tuple[Flat, np.ndarray, Flat]:
    parts, found = [], 0
    for columns, offsets, scalars in batches:
        take = min(count - found, len(offsets) - 1)
        end = int(offsets[take])
        parts.append(
            (
                {k: v[:end] for k, v in columns.items()},
                offsets[: take + 1],
                {k: v[:take] for k, v in scalars.items()},
            )
        )
        found += take
        if found == count:
            break
    return _join(parts)


def _join(parts: list[tuple[Flat, np.ndarray, Flat]]) -> tuple[Flat, np.ndarray, Flat]:
    columns = {name: np.concatenate([part[0][name] for part in parts]) for name in parts[0][0]}
    sizes = np.concatenate([np.diff(part[1]) for part in parts])
    scalars = {name: np.concatenate([part[2][name] for part in parts]) for name in parts[0][2]}
    return columns, np.concatenate([[0], np.cumsum(sizes)]), scalars


DIJET_FEATURES = ("pt", "eta", "phi", "mass", "sdmass", "tau1", "tau2", "tau3", "nparticles")
"""Per jet of a dijet event, in this order; GeV and rad."""


def generate_dijets(
    process: Process, count: int, *, seed: int, batch: int = 250
) -> dict[str, np.ndarray]:
    """The first `count` dijet events of a seed whose leading jet has pT > 1.2 TeV; equal
    for every batch size.

    Returns:
        `events` float32 `[count, 2, 9]` (`DIJET_FEATURES`, leading jet first) and `mjj`
        float32 `[count]`, GeV.
    """
    pythia = make_pythia(process, 0, seed=seed)
    events, masses, found = [], [], 0
    while found < count:
        event = flatten(pythia.nextBatch(batch))
        jets = cluster(event, process.selection)
        rank = np.arange(len(jets.event)) - np.searchsorted(jets.event, jets.event)
        two = np.bincount(jets.event[rank == 1], minlength=len(event.offsets) - 1) > 0
        hard = np.zeros(len(two), bool)
        hard[jets.event[rank == 0]] = jets.scalars["pt"][rank == 0] > LEADING_PT
        keep = (rank < 2) & (two & hard)[jets.event]
        if not keep.any():
            continue
        index, offsets = take_lists(jets.constituents, jets.offsets, np.flatnonzero(keep))
        shape = substructure(
            {name: event.columns[name][index] for name in ("px", "py", "pz", "e")},
            offsets,
            process.selection.radius,
        )
        jet = (
            {name: value[keep] for name, value in jets.scalars.items()}
            | shape
            | {"nparticles": np.diff(offsets)}
        )
        table = np.stack(
            [np.asarray(jet[name], np.float64) for name in DIJET_FEATURES], -1
        ).reshape(-1, 2, len(DIJET_FEATURES))
        pt, eta, phi, energy = (jet[name].reshape(-1, 2) for name in ("pt", "eta", "phi", "energy"))
        total = [(pt * np.cos(phi)).sum(1), (pt * np.sin(phi)).sum(1), (pt * np.sinh(eta)).sum(1)]
        masses.append(np.sqrt(np.maximum(energy.sum(1) ** 2 - sum(p**2 for p in total), 0.0)))
        events.append(table)
        found += len(table)
    return {
        "events": np.concatenate(events)[:count].astype(np.float32),
        "mjj": np.concatenate(masses)[:count].astype(np.float32),
    }
