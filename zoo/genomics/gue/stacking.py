"""Networks and k-mer regressions that decide together: a weighted sum of their logits, with
weights fitted on the dev sets.

    zoo train genomics/gue committee.gue --out RUNS/committee

Stacking (Wolpert 1992, doi:10.1016/S0893-6080(05)80023-1) with weights that are not
negative. A network sees arrangements that counts do not, a regression on counts is hard to
overfit; their errors differ. The networks are all seeds of `cnn.gue`, those that lie beside the
stack's folder or the published ones; the regressions are those that the task's baselines read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize

from zoo.genomics.gue.baselines.kmers import FOLDER, KmerRegression
from zoo.genomics.gue.metrics import class_scores
from zoo.genomics.gue.predict import GueClassifier, load_classifier
from zoo.genomics.gue.recipes import STACK, STACKED_NETWORK, SUBSETS, TASK, describe_stack
from zoo.genomics.models.members import pack, seeds_of
from zoo.pretrained import weights as storage
from zoo.pretrained.run import write_run

if TYPE_CHECKING:
    from zoo.cards import ModelCard
    from zoo.genomics.data import LabelledSequences

NETWORK, REGRESSIONS = "network", ("spectrum", "placed")
"""Names of the members."""
PENALTY = 1e-3
"""Of the squared weights, so that members that agree share their weight."""


def fit_weights(
    logits: Float[np.ndarray, "sequence member"], label: Int[np.ndarray, " sequence"]
) -> tuple[np.ndarray, float]:
    """Weights `[member]`, none negative, and the intercept that minimise the cross-entropy
    on these sequences."""
    sign = 2.0 * np.asarray(label) - 1.0

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (logits @ parameters[:-1] + parameters[-1])
        value = np.logaddexp(0.0, -margin).mean() + PENALTY * (parameters[:-1] ** 2).sum()
        slope = -sign / (1.0 + np.exp(margin)) / len(sign)
        return value, np.append(logits.T @ slope + 2 * PENALTY * parameters[:-1], slope.sum())

    members = logits.shape[1]
    start = np.append(np.full(members, 1.0 / members), 0.0)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * members + [(None, None)]
    )
    return found.x[:-1], float(found.x[-1])


class StackedClassifier:
    """The members and their weights: `SequenceInputs -> {"logit": [sequence]}`.

    Attributes:
        input_form, output_form: see `zoo.interfaces.predictor.PretrainedPredictor`.

    Args:
        members: name -> something with `.logits(tokens, subset)`.
        weights: subset -> member -> weight.
        intercept: subset -> intercept.
    """

    input_form, output_form = GueClassifier.input_form, GueClassifier.output_form

    def __init__(
        self,
        members: Mapping[str, Any],
        weights: Mapping[str, Mapping[str, float]],
        intercept: Mapping[str, float],
    ):
        self.members, self.weights, self.intercept = dict(members), weights, intercept

    def __call__(self, inputs: Any, *, subset: str | None = None) -> dict[str, np.ndarray]:
        """As `GueClassifier`: logits float64 `[sequence]`."""
        if subset is not None:
            return {"logit": self.logits(np.asarray(inputs), subset)}
        out = np.full(len(inputs), np.nan)
        for name, rows in inputs.by_subset():
            out[rows] = self.logits(inputs.of(rows), name)
        return {"logit": out}

    def logits(self, tokens: np.ndarray, subset: str) -> np.ndarray:
        """The weighted sum of the members' logits for one subset.

        Raises:
            ValueError: there are no weights for the subset.
        """
        if subset not in self.weights:
            raise ValueError(
                f"this model was not trained on {subset!r}; it knows {', '.join(self.weights)}"
            )
        chosen = {name: weight for name, weight in self.weights[subset].items() if weight > 0}
        if not chosen:
            return np.full(len(tokens), self.intercept[subset])
        return self.intercept[subset] + sum(
            weight * self.members[name].logits(tokens, subset) for name, weight in chosen.items()
        )

    def flops_per_example(self) -> float | None:
        """None: the regressions' sparse products are not XLA's to count."""
        return None

    def example_output(self, seed: int) -> np.ndarray:
        """Logits of three random sequences for every subset: a card's `expected`."""
        rng = np.random.default_rng(seed)
        lengths = self.members[NETWORK].lengths
        made_up = {
            subset: rng.integers(0, 4, (3, lengths[subset])).astype(np.int8)
            for subset in self.weights
        }
        return np.concatenate([self.logits(tokens, subset) for subset, tokens in made_up.items()])


def load_committee(
    card: ModelCard, paths: Sequence[Path]
) -> StackedClassifier | GueClassifier | KmerRegression:
    """Factory named by the card: its one file, or all files of its members together; of several
    files one alone is that member (for the scores of single members)."""
    options = card.predictor_config
    members: dict[str, Any] = {}
    for path in paths:
        if path.name.startswith("kmers."):
            members[path.name.split(".")[1]] = KmerRegression.read(path)
    own = [path for path in paths if not path.name.startswith("kmers.")]
    if own:
        members[NETWORK] = load_classifier(card, own)
    if "regressions" in options:
        stored = storage.load(paths[0])[0]
        for name, settings in options["regressions"].items():
            members[name] = KmerRegression(_inside(stored, name), settings)
    elif len(paths) == 1:
        return next(iter(members.values()))
    return StackedClassifier(members, options["weights"], options["intercept"])


def _inside(stored: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The arrays of one regression among those of a stack's file."""
    return {
        full.removeprefix(f"{name}."): value
        for full, value in stored.items()
        if full.startswith(f"{name}.")
    }


# ------------------------------------------------------------------------------------------ the fit


def stack(
    load: Callable[[str, str], LabelledSequences],
    out: Path,
    *,
    subsets: Sequence[str] = SUBSETS,
    folder: Path = FOLDER,
) -> Iterator[str]:
    """Fits the weights of the members on the dev sets and writes the run.

    Args:
        load: `(subset, split) -> table`; only "dev" is asked for.
        out: folder of the run.
        subsets: of GUE, all of which the members know.
        folder: of the regressions' files.

    Raises:
        zoo.files.FileMissing: the networks cannot be had; says how to get them.
        FileNotFoundError: a regression is not there.
    """
    begin = time.perf_counter()
    seeds = seeds_of(STACKED_NETWORK, beside=out)
    base = seeds.description.model_dump(mode="json", exclude_none=True)
    files = {name: folder / f"kmers.{name}.gue.safetensors" for name in REGRESSIONS}
    regressions = {name: KmerRegression.read(path) for name, path in files.items()}
    # A description has everything of a card that a network is built from.
    card = cast("ModelCard", seeds.description)
    network = load_classifier(card, list(seeds.weights.values()))
    members = {**regressions, NETWORK: network}
    weights, intercept, scores = fit_subsets(members, subsets, load)
    settings = {
        "weights": weights,
        "intercept": intercept,
        "regressions": {name: each.settings for name, each in regressions.items()},
    }
    parameters = pack([storage.load(path)[0] for path in seeds.weights.values()])
    for name, each in regressions.items():
        parameters |= {f"{name}.{key}": value for key, value in each.arrays.items()}
    seconds = seeds.wall_seconds + time.perf_counter() - begin
    described = describe_stack(base, len(seeds.weights), seconds, settings, scores)
    path = write_run(out, parameters, [described], task=TASK, recipe=STACK, seed=0)
    yield f"seeds {', '.join(map(str, seeds.weights))} of {STACKED_NETWORK}: " + ", ".join(
        f"{name} {value:.4f}" for name, value in scores.items()
    )
    yield f"wrote {path}"


def fit_subsets(
    members: Mapping[str, Any],
    subsets: Sequence[str],
    load: Callable[[str, str], LabelledSequences],
) -> tuple[dict[str, dict[str, float]], dict[str, float], dict[str, float]]:
    """Weights by subset and member, intercepts by subset, and dev MCCs; rounded, as a card has
    them."""
    weights, intercept, scores = {}, {}, {}
    for subset in subsets:
        dev = load(subset, "dev")
        each = np.stack([member.logits(dev.tokens, subset) for member in members.values()], 1)
        fitted, shift = fit_weights(each, dev.known_labels)
        weights[subset] = {
            name: round(float(weight), 4) for name, weight in zip(members, fitted, strict=True)
        }
        intercept[subset] = round(shift, 4)
        mcc = class_scores(each @ fitted + shift, dev.known_labels)["mcc"]
        scores[f"mcc_{subset}"] = round(mcc, 4)
    return weights, intercept, scores
