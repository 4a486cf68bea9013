"""Dijet events of `particle_physics/anomaly`: the chunks that the simulation writes, the
splits, the test file, the features. `build` makes them.

Everything is SIMULATED: QCD dijets, W'(3.5 TeV) -> WZ and Z'(3.5 TeV) -> tt, all hadronic
as far as their decays are, leading jet above 1.2 TeV. A folder of chunks holds
`<split>-<process>-<k>.npz`; each has a Pythia seed of its own, so splits share no event.
"""

from __future__ import annotations

import dataclasses
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo.particle_physics.simulation.generator import DIJET_FEATURES
from zoo.particle_physics.simulation.processes import DIJETS
from zoo.scoring import record

PROCESSES = tuple(DIJETS)
SIGNALS = PROCESSES[1:]
CHUNK_COLUMNS = DIJET_FEATURES
"""Columns of a chunk's `events [event, jet, column]`: GeV and rad, the leading jet first."""

COLUMNS = tuple(name for name in CHUNK_COLUMNS if name != "phi")
"""What a predictor sees. Without the azimuths the dijet mass cannot be put together again
exactly."""

MASS_RANGE = (2300.0, 5000.0)
SIGNAL_REGION = (3300.0, 3700.0)
"""Dijet mass in GeV: half-open ranges. The side bands are what of the first is outside the
second."""


@dataclasses.dataclass(frozen=True)
class JetPairs:
    """The two leading jets of events, as a predictor receives them: no dijet mass, no process.

    Attributes:
        values: float32 `[event, 2, column]`, the harder jet first.
    """

    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def column(self, name: str) -> np.ndarray:
        """One property `[event, 2]` of both jets.

        Raises:
            KeyError: there is no such column; the message lists those that are.
        """
        if name not in COLUMNS:
            raise KeyError(f"jets have no column {name!r}; there are {', '.join(COLUMNS)}")
        return self.values[..., COLUMNS.index(name)]


@dataclasses.dataclass(frozen=True)
class Dijets:
    """Events with what only the task and the training may know.

    Attributes:
        pairs: the jets.
        mjj: float32 `[event]`, dijet mass in GeV.
        process: int8 `[event]`, index into `PROCESSES`.
    """

    pairs: JetPairs
    mjj: np.ndarray
    process: np.ndarray

    def __len__(self) -> int:
        return len(self.mjj)

    def __getitem__(self, chosen: slice | np.ndarray) -> Dijets:
        """Some of the events: a slice, indices or a boolean mask."""
        return Dijets(JetPairs(self.pairs.values[chosen]), self.mjj[chosen], self.process[chosen])

    @property
    def in_signal_region(self) -> np.ndarray:
        """Bool `[event]`."""
        return within(self.mjj, SIGNAL_REGION)

    def within_mass_range(self) -> Dijets:
        """The events of the signal region and the side bands."""
        return self[within(self.mjj, MASS_RANGE)]


def within(mjj: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """Whether a dijet mass lies in a half-open range."""
    return (mjj >= bounds[0]) & (mjj < bounds[1])


def concatenate(parts: Sequence[Dijets]) -> Dijets:
    """Events of several samples, one after another."""
    return Dijets(
        JetPairs(np.concatenate([part.pairs.values for part in parts])),
        np.concatenate([part.mjj for part in parts]),
        np.concatenate([part.process for part in parts]),
    )


# ------------------------------------------------------------------------------------------- chunks


def read_split(folder: Path, process: str, split: str) -> Dijets:
    """The events of one process and split ("train" or "test") within the mass range, chunk
    after chunk.

    Raises:
        ValueError: an unknown process or split, a chunk that is no chunk, or events that
            are not finite.
        FileNotFoundError: the folder has no chunk of the process.
    """
    if process not in PROCESSES:
        raise ValueError(f"no process {process!r}; there are {', '.join(PROCESSES)}")
    if split not in ("train", "test"):
        raise ValueError(f"no split {split!r}; there are train and test")
    numbered = {
        re.fullmatch(rf"{split}-{process}-(\d+)", path.stem): path
        for path in Path(folder).glob(f"{split}-{process}-*.npz")
    }
    paths = [
        numbered[match] for match in sorted(filter(None, numbered), key=lambda match: int(match[1]))
    ]
    if not paths:
        raise FileNotFoundError(
            f"{folder} holds no {split}-{process}-<k>.npz; write the events with `zoo data build "
            f"particle_physics/anomaly --out {folder}`"
        )
    return concatenate([read_chunk(path, process).within_mass_range() for path in paths])


def read_chunk(path: Path, process: str) -> Dijets:
    """All events of one file of the simulation.

    Raises:
        ValueError: the file is truncated, lacks an array, has another shape, or holds a
            number that is not finite.
    """
    try:
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            # a handle of ours, closed whatever np.load says
            missing = sorted({"events", "mjj"} - set(file.files))
            if missing:
                raise ValueError(
                    f"{path} has no array {', '.join(missing)}; it has "
                    f"{', '.join(file.files) or 'none'}"
                )
            events, mjj = file["events"], file["mjj"]
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(
            f"{path} is no readable npz file ({error}); delete it and simulate it again"
        ) from error
    expected = (len(mjj), 2, len(CHUNK_COLUMNS))
    if events.shape != expected or mjj.ndim != 1:
        raise ValueError(
            f"{path}: events has shape {events.shape} beside mjj {mjj.shape}, expected "
            f"{expected}: [event, jet, column]"
        )
    if not len(mjj):
        raise ValueError(f"{path} holds no event")
    broken = ~(np.isfinite(events).all((1, 2)) & np.isfinite(mjj))
    if broken.any():
        raise ValueError(
            f"{path}: {broken.sum()} of {len(mjj)} events hold NaN or infinity, the first is "
            f"number {int(broken.argmax())}"
        )
    kept = [CHUNK_COLUMNS.index(name) for name in COLUMNS]
    process_index = np.full(len(mjj), PROCESSES.index(process), np.int8)
    return Dijets(
        JetPairs(np.ascontiguousarray(events[..., kept], np.float32)),
        np.asarray(mjj, np.float32),
        process_index,
    )


# ---------------------------------------------------------------------------------------- test file


def read_test(path: Path) -> Dijets:
    """The events of a test file.

    Raises:
        zoo.scoring.record.RecordError: the file is no Zarr zip, or lacks an array.
    """
    arrays = record.read(path)
    missing = sorted({*COLUMNS, "mjj", "process"} - arrays.keys())
    if missing:
        raise record.RecordError(
            f"{path} has no array {', '.join(missing)}; it has "
            f"{', '.join(sorted(arrays)) or 'none'}"
        )
    return Dijets(
        JetPairs(np.stack([arrays[name] for name in COLUMNS], -1)), arrays["mjj"], arrays["process"]
    )


def load() -> Dijets:
    """The test events of the dataset `particle_physics/anomaly`."""
    from zoo import files, registry

    card = registry.dataset("particle_physics/anomaly")
    (file,) = (each for each in card.file if each.name == "test.zarr.zip")
    return read_test(files.get(file, folder=registry.dataset_folder(card)))


# ----------------------------------------------------------------------------------------- features

EVENT_FEATURES = (
    "log_m_light",
    "log_dm",
    "tau21_light",
    "tau21_heavy",
    "tau32_light",
    "tau32_heavy",
    "n_light",
    "n_heavy",
)
JET_FEATURES = ("log_sdmass", "log_mass", "tau1", "tau21", "tau32", "nparticles")


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """N-subjettiness ratio, 0 where a jet has too few particles to have one."""
    return np.where(below > 1e-6, above / np.maximum(below, 1e-6), 0.0)


def event_features(pairs: JetPairs) -> np.ndarray:
    """Float32 `[event, 8]` after Collins, Howe & Nachman (arXiv:1902.02634): the jets
    ordered by soft-drop mass, not by pT.

    No momentum enters: with pT and rapidity the network could tell the signal region from
    its side bands without any signal.
    """
    mass = pairs.column("sdmass")
    order = np.argsort(mass, axis=1, kind="stable")

    def ordered(values: np.ndarray) -> np.ndarray:
        return np.take_along_axis(values, order, axis=1)

    mass = ordered(mass)
    tau21, tau32 = (
        ordered(ratio(pairs.column("tau2"), pairs.column("tau1"))),
        ordered(ratio(pairs.column("tau3"), pairs.column("tau2"))),
    )
    n = ordered(pairs.column("nparticles"))
    columns = [np.log1p(mass[:, 0]), np.log1p(mass[:, 1] - mass[:, 0]), *tau21.T, *tau32.T, *n.T]
    return np.stack(columns, -1).astype(np.float32)


def jet_features(pairs: JetPairs) -> np.ndarray:
    """Float32 `[event, 2, 6]`: each jet by itself."""
    columns = [
        np.log1p(pairs.column("sdmass")),
        np.log1p(pairs.column("mass")),
        pairs.column("tau1"),
        ratio(pairs.column("tau2"), pairs.column("tau1")),
        ratio(pairs.column("tau3"), pairs.column("tau2")),
        pairs.column("nparticles"),
    ]
    return np.stack(columns, -1).astype(np.float32)
