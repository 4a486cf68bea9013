"""Pretrained generators as predictors of `particle_physics/jet_generation`: classes and a
seed -> jets.

Which pT, mass and multiplicity a jet shall have is drawn from a table of training jets that
lies with the weights (`Conditions.table`). So these three are not generated but taken from
the simulator; everything inside the jet is the network's. A GAN's jets are calibrated: no
jet stays heavier than what was drawn for it (`limit_mass`).
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.particle_physics.generation.data import CLASSES, PointClouds
from zoo.particle_physics.generation.metrics import relative_mass
from zoo.particle_physics.models.epic_flow import EpicFlow, sample
from zoo.particle_physics.models.epic_gan import EpicGan
from zoo.particle_physics.models.point_clouds import PARTICLES, relax, stretch
from zoo.pretrained.weights import load, restore

if TYPE_CHECKING:
    from zoo.cards import ModelCard
    from zoo.particle_physics.generation.task import GenerationRequest

ROWS = 6000
"""Training jets a class in the table of conditions."""
BATCH = 125
"""Jets at a time: one compiled shape, small enough for a core's cache."""


@dataclasses.dataclass(frozen=True)
class Conditions:
    """How jets and their descriptions are standardised, and what descriptions there are.

    Attributes:
        centre, scale: `[class, 3]` of the `stretch`ed particles.
        condition_centre, condition_scale: `[class, 3]` of (ln pT, ln mass, multiplicity).
        table: `[class, row, 3]`, pT (GeV), mass (GeV) and multiplicity of training jets.
    """

    centre: np.ndarray
    scale: np.ndarray
    condition_centre: np.ndarray
    condition_scale: np.ndarray
    table: np.ndarray

    @classmethod
    def fit(cls, train: PointClouds, *, rows: int = ROWS) -> Conditions:
        """From the training jets; the table holds the first `rows` of each class, or all
        where there are fewer."""
        stretched, mask = stretch(train.particles), train.mask
        described = describe(train.conditions)
        kept = min(rows, *np.bincount(train.label, minlength=len(CLASSES)))
        parts: list[list[np.ndarray]] = [[], [], [], [], []]
        for label in range(len(CLASSES)):
            mine = train.label == label
            inside = stretched[mine][mask[mine]]
            values = (
                inside.mean(0),
                inside.std(0),
                described[mine].mean(0),
                described[mine].std(0),
                train.conditions[mine][:kept],
            )
            for part, value in zip(parts, values, strict=True):
                part.append(value)
        return cls(*(np.stack(part).astype(np.float32) for part in parts))

    def arrays(self) -> dict[str, np.ndarray]:
        """The transforms of a weights file."""
        return dataclasses.asdict(self)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Conditions:
        """From the transforms of a weights file."""
        return cls(
            **{
                field.name: np.asarray(arrays[field.name], np.float32)
                for field in dataclasses.fields(cls)
            }
        )

    def vector(self, conditions: np.ndarray, label: np.ndarray, count: np.ndarray) -> np.ndarray:
        """What a network is told, float32 `[jet, 7]`: three standardised numbers, the class
        as one-hot, the share of 30 particles."""
        numbers = (describe(conditions) - self.condition_centre[label]) / self.condition_scale[
            label
        ]
        one_hot = label[:, None] == np.arange(len(CLASSES))
        return np.concatenate([numbers, one_hot, count[:, None] / PARTICLES], -1).astype(np.float32)

    def standardise(self, jets: PointClouds) -> np.ndarray:
        """Particles as a network sees them, float32 `[jet, 30, 3]`, zero where there is none."""
        z = (stretch(jets.particles) - self.centre[jets.label][:, None]) / self.scale[jets.label][
            :, None
        ]
        return np.where(jets.mask[..., None], z, 0.0).astype(np.float32)

    def draw(self, label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Conditions `[jet, 3]` of as many random rows of the table."""
        return self.table[label, rng.integers(self.table.shape[1], size=len(label))]


def describe(conditions: np.ndarray) -> np.ndarray:
    """(ln pT, ln mass, multiplicity) of (pT, mass, multiplicity); a mass below 1 GeV counts
    as one."""
    return np.stack(
        [np.log(conditions[:, 0]), np.log(np.maximum(conditions[:, 1], 1.0)), conditions[:, 2]], -1
    )


class JetGenerator:
    """A generator bound to its conditions.

    Args:
        model: `EpicFlow` or `EpicGan`.
        conditions: standardisation and table.
        steps: midpoint steps of a flow; not used by a GAN.
    """

    input_form = f"GenerationRequest: int8 [jet] of {', '.join(CLASSES)}, and a seed"
    output_form = (
        f"particles float32 [jet, {PARTICLES}, 3] (etarel, phirel in rad, ptrel), "
        f"mask bool [jet, {PARTICLES}]"
    )

    def __init__(self, model: nnx.Module, conditions: Conditions, *, steps: int = 8):
        self.model, self.conditions, self.steps = model, conditions, steps
        graph, self._state = nnx.split(model)

        def run(
            state: Any,
            noise: tuple[jax.Array, ...],
            condition: jax.Array,
            mask: jax.Array,
            *standard: jax.Array,
        ) -> jax.Array:
            net = nnx.merge(graph, state)
            if isinstance(net, EpicFlow):
                return sample(net, noise[0], condition, mask, steps=steps)
            return net(*noise, condition, mask, *standard)

        self._run = run
        self._call: Callable[..., jax.Array] = jax.jit(run)

    @classmethod
    def from_card(cls, card: ModelCard, weights: Sequence[Path]) -> JetGenerator:
        """The generator of a card and its weight file: the `predictor` factory of these cards."""
        from zoo.pretrained.model import blank

        parameters, transforms, _ = load(weights[0])
        return cls(
            restore(blank(card), parameters),
            Conditions.from_arrays(transforms),
            steps=int(card.predictor_config.get("steps", 1)),
        )

    def __call__(self, request: GenerationRequest) -> dict[str, np.ndarray]:
        """Particles float32 `[jet, 30, 3]` and mask `[jet, 30]`."""
        rng = np.random.default_rng(request.seed)
        label = np.asarray(request.label)
        return self.generate(label, self.conditions.draw(label, rng), rng)

    def generate(
        self, label: np.ndarray, conditions: np.ndarray, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Jets of given class and conditions `[jet, 3]`: pT (GeV), mass (GeV), multiplicity."""
        count = np.clip(conditions[:, 2], 1, PARTICLES)
        mask = np.arange(PARTICLES) < count[:, None]
        condition = self.conditions.vector(conditions, label, mask.sum(1))
        centre, scale = self.conditions.centre[label], self.conditions.scale[label]
        inputs = (*self._noise(len(label), rng), condition, mask, centre, scale)

        def one(start: int) -> np.ndarray:
            padded = [
                np.resize(each[start : start + BATCH], (BATCH, *each.shape[1:])) for each in inputs
            ]
            out = self._call(
                self._state, tuple(map(jnp.asarray, padded[:-4])), *map(jnp.asarray, padded[-4:])
            )
            return np.asarray(out)[: len(label) - start]

        # XLA leaves a core idle on products this small: two batches side by side use both.
        with concurrent.futures.ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
            parts = list(pool.map(one, range(0, len(label), BATCH)))
        stretched = np.concatenate(parts) * scale[:, None] + centre[:, None]
        particles = np.where(mask[..., None], relax(stretched), np.float32(0.0))
        if isinstance(self.model, EpicGan):
            particles = limit_mass(particles, mask, conditions[:, 1] / conditions[:, 0])
        return {"particles": particles, "mask": mask}

    def _noise(self, jets: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        shapes: tuple[tuple[int, ...], ...] = ((jets, PARTICLES, 3),)
        if isinstance(self.model, EpicGan):
            config = self.model.config
            shapes = ((jets, PARTICLES, config.local_noise), (jets, config.global_noise))
        return tuple(rng.standard_normal(shape, np.float32) for shape in shapes)

    def flops_per_example(self) -> float | None:
        """Of one jet: XLA's count of one evaluation, times the evaluations that a flow
        needs (it counts a loop's body once)."""
        from zoo.scoring import cost

        noise = tuple(jnp.asarray(each) for each in self._noise(1, np.random.default_rng(0)))
        condition, mask = (
            jnp.zeros((1, self.conditions.vector(*_nothing()).shape[1])),
            jnp.ones((1, PARTICLES), bool),
        )
        standard = jnp.zeros((1, 3)), jnp.ones((1, 3))
        repeats = self.steps if isinstance(self.model, EpicFlow) else 1
        return cost.flops(
            self._run, self._state, noise, condition, mask, *standard, repeats=repeats
        )

    def example_output(self, seed: int) -> np.ndarray:
        """Particles of four jets a class from a fixed seed and the middle of the table,
        flat: a card's `expected`."""
        label = np.repeat(np.arange(len(CLASSES)), 4)
        conditions = np.median(self.conditions.table, axis=1)[label]
        return self.generate(label, conditions, np.random.default_rng(seed))["particles"].ravel()


def limit_mass(particles: np.ndarray, mask: np.ndarray, heaviest: np.ndarray) -> np.ndarray:
    """Particles with the angles of too heavy jets divided by their excess: a part of a jet
    cannot be heavier than the jet.

    Args:
        particles, mask: `[jet, 30, 3]` and `[jet, 30]`.
        heaviest: `[jet]`, mass of the whole jet over its momentum.
    """
    excess = np.maximum(relative_mass(particles, mask) / np.maximum(heaviest, 1e-6), 1.0).astype(
        np.float32
    )
    return np.concatenate([particles[..., :2] / excess[:, None, None], particles[..., 2:]], -1)


def _nothing() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.ones((1, 3), np.float32), np.zeros(1, np.int64), np.ones(1)


def load_generator(card: ModelCard, weights: Sequence[Path]) -> JetGenerator:
    """Factory named by the cards."""
    return JetGenerator.from_card(card, weights)
