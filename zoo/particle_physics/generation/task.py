"""`particle_physics/jet_generation`: simulate the simulator. Jets are generated unpaired
and compared as samples.

An *example* is one generated jet: 3,000 of each class. A predictor is told the classes and
a seed, nothing else: pT, mass and multiplicity, on which models are conditioned, it must
draw itself (ours from a table of training jets that lies with the weights).
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from zoo.interfaces.figures import Figure
from zoo.interfaces.task import Arrays, Examples, Task
from zoo.particle_physics.generation import energy_flow, metrics, pictures, two_sample
from zoo.particle_physics.generation.data import (
    CLASSES,
    PARTICLES,
    PointClouds,
    from_arrays,
    pack,
    unpack,
)
from zoo.scoring import record as storage

SEED = 20261120
SCORES = ("w1_mass", "w1_particles", "w1_efp", "fpd", "kpd", "auc")
"""Families of scores; each is given for every class."""
PER_MILLE = {"w1_mass": 1e3, "w1_particles": 1e3, "w1_efp": 1e5, "fpd": 1e3, "kpd": 1e3, "auc": 1.0}
"""What scores are multiplied by, so that tables can be read."""


@dataclasses.dataclass(frozen=True)
class GenerationRequest:
    """What a generator receives.

    Attributes:
        label: int8 `[jet]`, index into ("gluon", "quark", "top").
        seed: of all its random numbers; the same seed must give the same jets.
    """

    label: np.ndarray
    seed: int = SEED


@dataclasses.dataclass(frozen=True)
class Observed:
    """What is compared of a sample of one class: particles with mask, relative mass,
    energy-flow polynomials, classifier's observables."""

    particles: np.ndarray
    mask: np.ndarray
    mass: np.ndarray
    primes: np.ndarray
    polynomials: np.ndarray
    seen: np.ndarray

    @classmethod
    def of(cls, particles: np.ndarray, mask: np.ndarray) -> Observed:
        """From particles `[jet, 30, 3]` and mask `[jet, 30]`."""
        primes = energy_flow.prime_polynomials(particles, mask)
        seen = two_sample.observables(particles, mask, primes)
        return cls(
            particles,
            mask,
            metrics.relative_mass(particles, mask),
            primes,
            energy_flow.all_polynomials(primes),
            seen,
        )

    @functools.cached_property
    def scale(self) -> np.ndarray:
        """The largest of each polynomial: by it JetNet divides, so that all 36 weigh alike."""
        return np.maximum(np.abs(self.polynomials).max(0), 1e-30)

    @functools.cached_property
    def kernel_mean(self) -> float:
        """Mean kernel between two jets of the sample, which every row is compared with."""
        return float(metrics.mean_kernel(self.polynomials / self.scale).mean())


def distances(
    generated: Observed,
    true: Observed,
    *,
    fpd: Mapping[str, Any] | None = None,
    auc: Mapping[str, Any] | None = None,
) -> dict[str, np.ndarray]:
    """Every score of one class as an array `[jet]` whose mean it is; polynomials are
    divided by the true sample's `scale`.

    Args:
        generated, true: both samples of the class.
        fpd: options of `frechet_physics_distance` other than its own.
        auc: options of `classifier_auc` other than its own.
    """
    ours, theirs = generated.polynomials / true.scale, true.polynomials / true.scale
    names = list(energy_flow.PRIMES)
    four = [names.index(name) for name in energy_flow.FOUR_FOUR]
    return {
        "w1_mass": metrics.wasserstein(generated.mass, true.mass),
        "w1_particles": metrics.particle_wasserstein(
            generated.particles, generated.mask, true.particles, true.mask
        ),
        "w1_efp": np.mean(
            [metrics.wasserstein(generated.primes[:, i], true.primes[:, i]) for i in four], axis=0
        ),
        "fpd": metrics.frechet_physics_distance(ours, theirs, **(fpd or {})),
        "kpd": metrics.kernel_physics_distance(ours, theirs, within_true=true.kernel_mean),
        "auc": two_sample.classifier_auc(generated.seen, true.seen, **(auc or {})),
    }


class JetGeneration(Task):
    """The task, bound to its files. Predictors return
    `{"particles": float [jet, 30, 3], "mask": bool [jet, 30]}`."""

    @functools.cached_property
    def _test(self) -> Mapping[str, np.ndarray]:
        return storage.read(self.file("test.zarr.zip"))

    @functools.cached_property
    def reference(self) -> PointClouds:
        """The true jets that all are compared with."""
        return from_arrays(self._test, "reference_")

    @functools.cached_property
    def floor(self) -> PointClouds:
        """As many true jets as a generator makes, of other events than the reference."""
        return from_arrays(self._test, "floor_")

    @functools.cached_property
    def fitted(self) -> Mapping[str, np.ndarray]:
        """What the baselines were fitted to:
        `zoo.particle_physics.generation.baselines.fit` of the training jets."""
        return storage.read(self.file("baselines.zarr.zip"))

    @functools.cached_property
    def observed(self) -> tuple[Observed, ...]:
        """The reference by class."""
        parts = [self.reference[self.reference.label == label] for label in range(len(CLASSES))]
        return tuple(
            _by_class(lambda label: Observed.of(parts[label].particles, parts[label].mask))
        )

    def examples(self) -> Examples:
        """One example a jet of the floor sample, by class; there is no target but the reference."""
        label = self.floor.label
        number = np.concatenate([np.arange(np.sum(label == each)) for each in range(len(CLASSES))])
        ids = tuple(f"{CLASSES[each]}-{i:05d}" for each, i in zip(label, number, strict=True))
        return Examples(ids, GenerationRequest(label, self.spec.parameter("seed")), None)

    def record(self, predictions: Mapping[str, Any], examples: Examples) -> Arrays:
        """Class, relative mass and particle count of every generated jet, and what it adds
        to every score (float32 `[jet]`).

        Raises:
            ValueError: a wrong shape, a value that is not finite, a momentum that is not
                positive, a jet without particles.
        """
        particles, mask = check(predictions, len(examples))
        particles = unpack(pack(particles, mask), mask)
        label = examples.inputs.label
        out: Arrays = {
            "label": label.astype(np.int8),
            "particle_count": mask.sum(1).astype(np.uint8),
            "relative_mass": metrics.relative_mass(particles, mask).astype(np.float32),
        }
        out |= {name: np.zeros(len(examples), np.float32) for name in SCORES}
        observed = self.observed
        fpd = {name: self.spec.parameter(name, of="fpd") for name in ("splits", "seed")}
        auc = {
            name: self.spec.parameter(name, of="auc") for name in ("features", "penalty", "seed")
        }

        def compared(each: int) -> dict[str, np.ndarray]:
            generated = Observed.of(particles[label == each], mask[label == each])
            return distances(generated, observed[each], fpd=fpd, auc=auc)

        for each, found in enumerate(_by_class(compared)):
            for name, value in found.items():
                out[name][label == each] = PER_MILLE[name] * value
        return out

    def statistics(self, record: Mapping[str, np.ndarray]) -> Arrays:
        """Each score's part by class, `[jet, 3]`, and `count`, which says of which class
        the jet is."""
        of_class = record["label"][:, None] == np.arange(len(CLASSES))
        parts = {
            name: np.where(of_class, record[name][:, None].astype(np.float64), 0.0)
            for name in SCORES
        }
        return parts | {"count": of_class.astype(np.float64)}

    def values(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every score by class: `fpd.top` and so on."""
        with np.errstate(invalid="ignore", divide="ignore"):
            scores = {name: means[name] / means["count"] for name in SCORES}
        return {
            f"{name}.{kind}": value[..., i]
            for name, value in scores.items()
            for i, kind in enumerate(CLASSES)
        }

    def sample_figures(self) -> list[Figure]:
        """The average reference jet of each class, mass and multiplicity."""
        return pictures.of_clouds(self.reference)


def _by_class(work: Callable[[int], Any]) -> list[Any]:
    """`work` of every class, side by side.

    Why one BLAS thread each: the matrices are small, and BLAS threads that wait for each
    other by spinning took two thirds of the time, nine tenths of it on a loaded machine.
    """
    workers = max(1, min(len(CLASSES), os.cpu_count() or 1))
    with (
        threadpool_limits(1, user_api="blas"),
        concurrent.futures.ThreadPoolExecutor(workers) as pool,
    ):
        return list(pool.map(work, range(len(CLASSES))))


def check(predictions: Mapping[str, Any], jets: int) -> tuple[np.ndarray, np.ndarray]:
    """Generated particles (float32) and mask, found fit to be scored."""
    missing = [name for name in ("particles", "mask") if name not in predictions]
    if missing:
        raise ValueError(
            f"predictions have no {missing[0]!r}; needed are 'particles' [jet, 30, 3] and 'mask' "
            "[jet, 30]"
        )
    particles, mask = (
        np.asarray(predictions["particles"], np.float32),
        np.asarray(predictions["mask"]),
    )
    if particles.shape != (jets, PARTICLES, 3):
        raise ValueError(
            f"predictions['particles'] has shape {particles.shape}, needed is "
            f"{(jets, PARTICLES, 3)}: etarel, phirel, ptrel"
        )
    if mask.shape != (jets, PARTICLES) or mask.dtype != bool:
        raise ValueError(
            f"predictions['mask'] is {mask.dtype} {mask.shape}, needed is bool {(jets, PARTICLES)}"
        )
    if not mask.any(1).all():
        raise ValueError(
            f"{int((~mask.any(1)).sum())} generated jets have no particle; the first is number "
            f"{int(np.argmin(mask.any(1)))}"
        )
    if not np.isfinite(particles[mask]).all():
        raise ValueError(
            f"{int((~np.isfinite(particles[mask])).any(1).sum())} generated particles are not "
            "finite"
        )
    if (particles[mask][:, 2] <= 0.0).any():
        raise ValueError(
            f"{int((particles[mask][:, 2] <= 0.0).sum())} generated particles have no positive "
            "ptrel; mask what is not there"
        )
    return particles, mask
