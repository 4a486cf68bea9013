"""Pretrained jet taggers as predictors: `Jets` -> class probabilities.

    tagger = zoo.load_model("particle_physics/particle_net.jetclass")
    jets = read_jets("my_jets.root", columns=tagger.predict.columns)
    tagger(jets)["probability"]    # [jet, class], the classes of `jets.classes`

Jets are sorted by multiplicity and padded no further than their batch needs: padding is
invisible to every architecture (tested), so this only saves time.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from scipy.special import softmax

from zoo.particle_physics.data.jets import LABELS, Jets
from zoo.particle_physics.models import compiling
from zoo.particle_physics.models.features import COLUMNS, FEATURE_SETS, network_inputs

if TYPE_CHECKING:
    from zoo.cards import ModelCard


class JetTagger:
    """One or several networks (an ensemble's mean probability) with the inputs that they need.

    Args:
        models: modules `(features, vectors, mask) -> logits [jet, class]`.
        feature_set: `kin`, `kinpid` or `full`.
        particles: how many of the hardest constituents they see.
        classes: names of their outputs.
        batch: jets per call of the network.
    """

    def __init__(
        self,
        models: Sequence[nnx.Module],
        *,
        feature_set: str,
        particles: int,
        classes: Sequence[str] = LABELS,
        batch: int = 64,
    ):
        if feature_set not in FEATURE_SETS:
            raise ValueError(
                f"feature_set {feature_set!r} is not known; there are {', '.join(FEATURE_SETS)}"
            )
        self.models, self.feature_set, self.particles = list(models), feature_set, particles
        self.classes, self.batch = tuple(classes), batch
        self.columns = COLUMNS[feature_set]
        split = [
            nnx.split(model.fold_scales() if hasattr(model, "fold_scales") else model)
            for model in self.models
        ]
        self._state = [state for _, state in split]
        options = (
            compiling.wide_products() if getattr(self.models[0], "wide_products", False) else None
        )
        self._run = _caller(split[0][0], FEATURE_SETS[feature_set], self.columns)
        self._call = jax.jit(self._run, compiler_options=options)

    @property
    def input_form(self) -> str:
        """What it is called with."""
        return (
            f"Jets: float32 [jet, particle, {len(self.columns)}] (GeV, rad, mm) with a mask, the "
            f"hardest {self.particles} seen"
        )

    @property
    def output_form(self) -> str:
        """What it gives."""
        return f"probability float32 [jet, {len(self.classes)}] of {', '.join(self.classes)}"

    def __call__(self, jets: Jets) -> dict[str, np.ndarray]:
        """Probabilities float32 `[jet, class]` in the order of `jets.classes`, renormalised
        where those are fewer than the network's.

        Raises:
            ValueError: a column or a class is missing; the message names it and what there is.
        """
        logits = self.logits(jets)
        missing = [name for name in jets.classes if name not in self.classes]
        if missing:
            raise ValueError(
                f"this network knows no class {', '.join(missing)}; it tells "
                f"{', '.join(self.classes)} apart"
            )
        chosen = [self.classes.index(name) for name in jets.classes]
        return {
            "probability": sum(softmax(each[:, chosen], axis=-1) for each in logits) / len(logits)
        }

    def logits(self, jets: Jets) -> list[np.ndarray]:
        """The networks' outputs float32 `[jet, class]`, one array per member."""
        missing = [name for name in self.columns if name not in jets.columns]
        if missing:
            raise ValueError(
                f"these jets lack {', '.join(missing)}, which the feature set {self.feature_set!r} "
                f"needs; read them with read_jets(..., columns=COLUMNS[{self.feature_set!r}])"
            )
        jets = jets.hardest(self.particles)
        order = np.argsort(jets.mask.sum(1), kind="stable")
        places = [jets.columns.index(name) for name in self.columns]
        out = [np.empty((len(jets), len(self.classes)), np.float32) for _ in self.models]

        starts = range(0, len(order), self.batch)
        widths = {
            start: self._width(
                int(jets.mask[order[start : start + self.batch][-1]].sum()), jets.mask.shape[1]
            )
            for start in starts
        }
        # The first batch of each width first, so that their programs are compiled side by side.
        first = sorted({width: start for start, width in reversed(widths.items())}.values())

        def one(start: int) -> None:
            rows, width = order[start : start + self.batch], widths[start]
            full = np.concatenate([rows, np.full(self.batch - len(rows), rows[-1])])
            particles, mask = jets.particles[full, :width][..., places], jets.mask[full, :width]
            pt, energy = jets.scalars["jet_pt"][full], jets.scalars["jet_energy"][full]
            for member, state in enumerate(self._state):
                out[member][rows] = np.asarray(self._call(state, particles, mask, pt, energy))[
                    : len(rows)
                ]

        # XLA leaves a core idle on networks this small: two batches side by side use both.
        with concurrent.futures.ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
            list(pool.map(one, [*first, *(start for start in starts if start not in first)]))
        return out

    def _width(self, needed: int, most: int) -> int:
        """The padding of a batch: few sizes, so that few programs are compiled."""
        return min(next((size for size in (32, 48, 64, 96) if size >= needed), most), most)

    def flops_per_example(self) -> float | None:
        """XLA's count for one jet with all its particles, over all members."""
        from zoo.scoring import cost

        width = len(self.columns)
        arrays = (
            jnp.ones((1, self.particles, width)),
            jnp.ones((1, self.particles), bool),
            jnp.ones(1),
            jnp.ones(1),
        )
        counts = [cost.flops(self._run, state, *arrays) for state in self._state]
        known = [count for count in counts if count is not None]
        return float(sum(known)) if len(known) == len(counts) else None

    def example_output(self, seed: int) -> np.ndarray:
        """Probabilities of fifteen made-up jets `[15 * class]`: a card's `expected`
        (sixteen would show one class only)."""
        jets = made_up_jets(15, self.particles, seed=seed, columns=self.columns)
        return np.concatenate([softmax(each, axis=-1) for each in self.logits(jets)]).ravel()


def _caller(graph: Any, names: tuple[str, ...], columns: tuple[str, ...]) -> Any:
    def call(
        state: Any, particles: jax.Array, mask: jax.Array, jet_pt: jax.Array, jet_energy: jax.Array
    ) -> jax.Array:
        features, vectors = network_inputs(
            particles, mask, jet_pt, jet_energy, names=names, columns=columns, xp=jnp
        )
        return nnx.merge(graph, state)(features, vectors, mask)

    return call


def made_up_jets(count: int, particles: int, *, seed: int, columns: Sequence[str]) -> Jets:
    """Random sprays of particles, for probes and tests: falling pT around a random axis,
    some jets with few particles."""
    rng = np.random.default_rng(seed)
    pt = -np.sort(-rng.lognormal(1.0, 1.2, (count, particles)), axis=1)
    number = rng.integers(max(2, particles // 4), particles + 1, count)
    mask = np.arange(particles) < number[:, None]
    pt = np.where(mask, pt, 0.0)
    jet_eta, jet_phi = rng.uniform(-1.5, 1.5, count), rng.uniform(-2.0, 2.0, count)
    deta, dphi = rng.normal(0.0, 0.2, (2, count, particles))
    eta, phi = jet_eta[:, None] + deta, jet_phi[:, None] + dphi
    values = {
        "part_px": pt * np.cos(phi),
        "part_py": pt * np.sin(phi),
        "part_pz": pt * np.sinh(eta),
        "part_energy": pt * np.cosh(eta),
        "part_deta": deta * np.sign(jet_eta)[:, None],
        "part_dphi": dphi,
    }
    kind = rng.integers(0, 5, (count, particles))
    flags = (
        "part_isChargedHadron",
        "part_isNeutralHadron",
        "part_isPhoton",
        "part_isElectron",
        "part_isMuon",
    )
    values |= {name: (kind == i).astype(float) for i, name in enumerate(flags)}
    values["part_charge"] = np.where(
        np.isin(kind, (0, 3, 4)), rng.choice([-1.0, 1.0], kind.shape), 0.0
    )
    for name, size in (("part_d0val", 0.3), ("part_dzval", 0.5)):
        values[name] = np.where(values["part_charge"] != 0, rng.normal(0.0, size, kind.shape), 0.0)
    for name in ("part_d0err", "part_dzerr"):
        values[name] = np.where(values["part_charge"] != 0, rng.uniform(0.01, 0.2, kind.shape), 0.0)
    array = np.stack([np.where(mask, values[name], 0.0) for name in columns], -1).astype(np.float32)
    total = {
        axis: np.where(mask, values[f"part_{axis}"], 0.0).sum(1) for axis in ("px", "py", "energy")
    }
    scalars = {
        "jet_pt": np.hypot(total["px"], total["py"]),
        "jet_energy": total["energy"],
        "jet_eta": jet_eta,
        "jet_phi": jet_phi,
        "jet_nparticles": number,
    }
    return Jets(
        array,
        mask,
        tuple(columns),
        {name: np.asarray(value, np.float32) for name, value in scalars.items()},
        np.full(count, -1, np.int8),
    )


def load_tagger(card: ModelCard, weights: Sequence[Path]) -> JetTagger:
    """Factory named by the cards."""
    from zoo.pretrained.model import blank, parameters
    from zoo.pretrained.weights import restore

    models = [restore(blank(card), parameters(card, path)) for path in weights]
    options = card.predictor_config
    return JetTagger(
        models,
        feature_set=options["features"],
        particles=int(options["particles"]),
        classes=options.get("classes", LABELS),
        batch=int(options.get("batch", 64)),
    )


def predict_file(model: Any, source: Path, target: Path, **_: Any) -> None:
    """Behind `zoo predict`: a ROOT file (or folder, or Parquet) of jets in, their class
    probabilities out.

    The output is a ROOT file with a tree `tree` (branch `score_<class>` per class, one
    entry a jet, in the order of the input) where its name ends in `.root`, else CSV.

    Raises:
        ValueError: the target's ending is neither `.root` nor `.csv`.
        zoo.particle_physics.data.root.JetFileError: the source lacks branches, is damaged or empty.
    """
    from zoo import files
    from zoo.particle_physics.data.read import read_jets

    if Path(target).suffix not in (".root", ".csv"):
        raise ValueError(
            f"{target}: jets' scores are written to .root or .csv, not "
            f"{Path(target).suffix or 'a name without ending'!r}"
        )
    options = model.card.predictor_config
    jets = read_jets(
        source,
        max_particles=int(options["particles"]),
        columns=COLUMNS[options["features"]],
        classes=(),
    )
    classes = tuple(options.get("classes", LABELS))
    probability = model(dataclasses.replace(jets, classes=classes))["probability"]
    with files.whole(Path(target)) as temporary:
        if Path(target).suffix == ".csv":
            lines = [
                ",".join(f"score_{name}" for name in classes),
                *(",".join(f"{value:.6g}" for value in row) for row in probability),
            ]
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
            return
        import uproot

        with uproot.recreate(temporary) as file:
            scores = {f"score_{name}": probability[:, index] for index, name in enumerate(classes)}
            file.mktree("tree", {name: value.dtype for name, value in scores.items()})
            file["tree"].extend(scores)
