"""Networks and k-mer regressions that decide together: a weighted sum of their logits, with
weights fitted on the dev sets.

Stacking (Wolpert 1992, doi:10.1016/S0893-6080(05)80023-1) with weights that are not
negative. A network sees arrangements that counts do not, a regression on counts is hard to
overfit; their errors differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize

from zoo.genomics.gue.baselines.kmers import KmerRegression
from zoo.genomics.gue.predict import GueClassifier, load_classifier

if TYPE_CHECKING:
    from zoo.cards import ModelCard

NETWORK = "network"
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


class Committee:
    """The members and their weights: `SequenceInputs -> {"logit": [sequence]}`.

    Args:
        members: name -> something with `.logits(tokens, subset)`.
        weights: subset -> member -> weight.
        intercept: subset -> intercept.
    """

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
            ValueError: the committee has no weights for the subset.
        """
        if subset not in self.weights:
            raise ValueError(
                f"this model was not trained on {subset!r}; it knows {', '.join(self.weights)}"
            )
        chosen = {
            name: weight
            for name, weight in self.weights[subset].items()
            if name in self.members and weight > 0
        }
        if not chosen:  # one member alone, asked for what the others decide
            return next(iter(self.members.values())).logits(tokens, subset)
        return self.intercept[subset] + sum(
            weight * self.members[name].logits(tokens, subset) for name, weight in chosen.items()
        )

    def example_output(self, seed: int) -> np.ndarray:
        """Logits of three random sequences for every subset: a card's `expected`."""
        rng = np.random.default_rng(seed)
        lengths = self.members[NETWORK].lengths
        made_up = {
            subset: rng.integers(0, 4, (3, lengths[subset])).astype(np.int8)
            for subset in self.weights
        }
        return np.concatenate([self.logits(tokens, subset) for subset, tokens in made_up.items()])


def load_members(
    card: ModelCard, paths: Sequence[Path]
) -> dict[str, GueClassifier | KmerRegression]:
    """The members by name, from their files: `kmers.<kind>.*`, and the networks of the
    card's architecture."""
    members: dict[str, Any] = {
        path.name.split(".")[1]: KmerRegression(path)
        for path in paths
        if path.name.startswith("kmers.")
    }
    networks = [path for path in paths if not path.name.startswith("kmers.")]
    if networks:
        members[NETWORK] = load_classifier(card, networks)
    return members


def load_committee(
    card: ModelCard, paths: Sequence[Path]
) -> Committee | GueClassifier | KmerRegression:
    """Factory named by the card: all of its files together, or one of them alone (the
    scores of single members)."""
    members = load_members(card, paths)
    if len(paths) == 1:
        return next(iter(members.values()))
    return Committee(members, card.predictor_config["weights"], card.predictor_config["intercept"])
