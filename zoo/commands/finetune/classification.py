"""Classes of a user's own: the split, the probe by penalised softmax regression, the scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.interfaces.finetune import Evaluation, Labelled

SHARE = 0.2
"""Of the examples, set aside for validation."""
FEWEST = 5
"""Examples of a class: fewer leave nothing to validate with."""
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Of the probe's squared weights, on standardised features; one is chosen on a fifth of the
training part."""


def split(label: np.ndarray, groups: np.ndarray, *, seed: int, share: float = SHARE) -> np.ndarray:
    """Which examples validate, bool `[example]`: whole groups in an order drawn by the
    seed, until a share of each class is there.

    A group is taken where more than half of its examples are still wanted, so that no large
    group overshoots its class by far.
    """
    _, place = np.unique(groups, return_inverse=True)
    order = np.argsort(place, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(place))[:-1])
    wanted = np.maximum(1, np.round(share * np.bincount(label)).astype(int)) * (
        np.bincount(label) > 0
    )
    chosen = np.zeros(len(label), bool)
    for number in np.random.default_rng(seed).permutation(len(members)):
        counts = np.bincount(label[members[number]], minlength=len(wanted))
        if 2 * np.minimum(counts, wanted).sum() > counts.sum():
            chosen[members[number]] = True
            wanted = np.maximum(wanted - counts, 0)
    return chosen


def softmax_regression(
    x: np.ndarray,
    label: np.ndarray,
    classes: int,
    *,
    penalty: float,
    start: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel `[feature, class]` and bias `[class]` that minimise cross-entropy + penalty /
    2 · Σ kernel² over standardised features.

    The features' means and standard deviations are folded into what is returned. By L-BFGS
    in double precision; exact to its tolerance.

    Args:
        x: `[example, feature]`, finite.
        label: `[example]`.
        classes: how many.
        penalty: of the kernel on standardised features; the bias is free.
        start: flat solution for another penalty, to begin from.
    """
    from scipy.optimize import minimize

    x = np.asarray(x, np.float64)
    mean, std = x.mean(0), x.std(0)
    # a constant feature says nothing
    scale = np.where(std > 1e-6 * np.maximum(np.abs(mean), 1e-6), std, np.inf)
    z, target = (x - mean) / scale, np.eye(classes)[label]
    size = x.shape[1] * classes

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        kernel, bias = flat[:size].reshape(-1, classes), flat[size:]
        logits = z @ kernel + bias
        top = logits.max(1, keepdims=True)
        log_sum = top[:, 0] + np.log(np.exp(logits - top).sum(1))
        value = (log_sum - (logits * target).sum(1)).mean() + 0.5 * penalty * (kernel**2).sum()
        difference = (np.exp(logits - log_sum[:, None]) - target) / len(z)
        return value, np.concatenate(
            [(z.T @ difference + penalty * kernel).ravel(), difference.sum(0)]
        )

    begin = np.zeros(size + classes) if start is None else start
    found = minimize(
        objective,
        begin,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 500, "gtol": 1e-6, "ftol": 1e-10},
    ).x
    kernel = found[:size].reshape(-1, classes) / scale[:, None]
    return kernel, found[size:] - mean @ kernel


def chosen_regression(
    x: np.ndarray, label: np.ndarray, groups: np.ndarray, classes: int, *, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """`softmax_regression` with the penalty that does best on a fifth of these examples,
    and its cross-entropy there."""
    held = split(label, groups, seed=seed + 1)
    if held.all() or len(np.unique(label[~held])) < len(np.unique(label)):
        return *softmax_regression(x, label, classes, penalty=0.1), np.inf
    errors = []
    for penalty in PENALTIES:
        kernel, bias = softmax_regression(x[~held], label[~held], classes, penalty=penalty)
        errors.append(cross_entropy(x[held] @ kernel + bias, label[held]))
    best = int(np.argmin(errors))
    return *softmax_regression(x, label, classes, penalty=PENALTIES[best]), errors[best]


def cross_entropy(logits: np.ndarray, label: np.ndarray) -> float:
    """Mean -log p of the right class, in nats."""
    from scipy.special import log_softmax

    return float(
        -log_softmax(np.asarray(logits, np.float64), 1)[np.arange(len(label)), label].mean()
    )


def class_scores(logits: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """`accuracy`, `mcc` (Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006: of any
    number of classes), `cross_entropy`, `auroc` of two.

    Args:
        logits: `[example, class]`.
        label: `[example]`.
    """
    from zoo.scoring.scores import auroc, matthews

    classes = logits.shape[1]
    predicted = logits.argmax(1)
    table = (
        np.bincount(label * classes + predicted, minlength=classes**2)
        .reshape(classes, classes)
        .astype(np.float64)
    )
    scores = {
        "accuracy": float((predicted == label).mean()),
        "mcc": float(matthews(table)),
        "cross_entropy": cross_entropy(logits, label),
    }
    if classes == 2 and table.sum(1).all():
        scores["auroc"] = float(
            auroc(np.asarray(logits[:, 1], np.float64) - logits[:, 0], label == 1)
        )
    return scores


class Classification:
    """The `Problem` of `Labelled` examples.

    Args:
        task: the examples and their network.
        seed: of the split and of whatever is random in the network's new parts.

    Raises:
        ValueError: too few examples, one class, or a class that is missing on one side of
            the split.
    """

    higher_is_better = True

    def __init__(self, task: Labelled, *, seed: int):
        self.task, self.seed = task, seed
        self.batch_size, self.epochs, self.rates = task.batch_size, task.epochs, task.rates
        label, noun = np.asarray(task.label, np.int64), task.noun
        counts = np.bincount(label, minlength=len(task.classes))
        of_class = ", ".join(
            f"{name} {count}" for name, count in zip(task.classes, counts, strict=True)
        )
        if len(task.classes) < 2 or (counts > 0).sum() < 2:
            raise ValueError(
                f"there is one class only ({of_class}); at least two are needed to learn what "
                "tells them apart"
            )
        if task.validation is None and counts.min() < FEWEST:
            raise ValueError(
                f"too few {noun}: {of_class}; each class needs {FEWEST} or more, so that some "
                "train and some validate (or leave the class out, or bring a validation file)"
            )
        held = (
            split(label, task.groups, seed=seed)
            if task.validation is None
            else np.asarray(task.validation, bool)
        )
        lacking = [
            f"{name} ({side})"
            for side, part in (("training", ~held), ("validation", held))
            for name, count in zip(
                task.classes, np.bincount(label[part], minlength=len(task.classes)), strict=True
            )
            if not count
        ]
        if lacking:
            raise ValueError(
                f"after the split there is no example of {', '.join(lacking)}: its groups are too "
                "few or too large; another seed, smaller groups or a validation file of your own "
                "would help"
            )
        self._label, self._held = label, held
        self._train, self._validate = np.flatnonzero(~held), np.flatnonzero(held)
        self.examples = len(self._train)
        self.data = self._rows(self._train) | {"label": label[self._train].astype(np.int32)}
        where = (
            "set aside by the seed, whole groups together"
            if task.validation is None
            else "in the file that was given"
        )
        self.held_out = f"{len(self._validate):,} {noun} {where}"
        self.notes: Sequence[str] = [*task.notes, f"{len(label):,} {noun}: {of_class}"]
        self._probe: Any = None

    def _rows(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return {name: np.asarray(value)[rows] for name, value in self.task.inputs.items()}

    def outputs(
        self, call: Callable[[Any, Any], Any], model: Any, rows: np.ndarray, *, batch: int = 128
    ) -> np.ndarray:
        """`call(model, inputs)` of some examples, in batches of one size `[example, ...]`."""
        import jax
        from flax import nnx

        graph, state = nnx.split(model)
        run = jax.jit(lambda state, part: call(nnx.merge(graph, state), part))
        batch, parts = min(batch, len(rows)), []
        for begin in range(0, len(rows), batch):
            chosen = rows[begin : begin + batch]
            parts.append(
                np.asarray(run(state, self._rows(np.resize(chosen, batch))))[: len(chosen)]
            )
        return np.concatenate(parts)

    def references(self) -> dict[str, Evaluation]:
        """The majority class, with the shares of the training classes as its probabilities."""
        shares = (
            np.bincount(self._label[self._train], minlength=len(self.task.classes)) / self.examples
        )
        return {
            "majority class": self._evaluation(np.tile(np.log(shares), (len(self._validate), 1)))
        }

    def linear_probe(self) -> Any:
        """The network with a head by penalised softmax regression; of several networks the
        one whose head does best inside the training part."""
        import jax.numpy as jnp

        if self._probe is None:
            label = self._label[self._train]
            groups = np.asarray(self.task.groups)[self._train]
            best: tuple[float, Any, np.ndarray, np.ndarray] | None = None
            for candidate in self.task.candidates:
                model = self.task.network(candidate, seed=self.seed, pretrained=True)
                x = self.outputs(self.task.features, model, self._train)
                if not np.isfinite(x).all():
                    raise ValueError(
                        f"the features of {candidate} are not finite for "
                        f"{(~np.isfinite(x)).any(1).sum()} {self.task.noun}"
                    )
                kernel, bias, error = chosen_regression(
                    x, label, groups, len(self.task.classes), seed=self.seed
                )
                if best is None or error < best[0]:
                    best = (error, model, kernel, bias)
            assert best is not None, "a task of classes has a candidate"
            _, self._probe, kernel, bias = best
            head = self._probe.head
            head.kernel[...], head.bias[...] = (
                jnp.asarray(kernel, jnp.float32),
                jnp.asarray(bias, jnp.float32),
            )
        return self._probe

    def start(self) -> Any:
        """The probe: a random head would push the features about before it has learned anything."""
        return self.linear_probe()

    def scratch(self, seed: int) -> Any:
        """The same design as the probe's with random weights."""
        candidate = getattr(self.linear_probe(), "candidate", self.task.candidates[0])
        return self.task.network(candidate, seed=seed, pretrained=False)

    def loss(self, model: Any, batch: Mapping[str, Any], key: Any) -> Any:
        """Mean cross-entropy."""
        import optax

        logits = self.task.logits(model, batch, key)
        value = optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"]).mean()
        return value, {"accuracy": (logits.argmax(-1) == batch["label"]).mean()}

    scratch_loss = loss

    def evaluate(self, model: Any) -> Evaluation:
        """Scores of a network on the validation examples."""
        return self._evaluation(
            self.outputs(
                lambda model, part: self.task.logits(model, part, None), model, self._validate
            )
        )

    def _evaluation(self, logits: np.ndarray) -> Evaluation:
        label = self._label[self._validate]
        right = (logits.argmax(1) == label).astype(np.float64)
        return Evaluation(
            class_scores(logits, label), right, np.asarray(self.task.groups)[self._validate]
        )

    def content(self, model: Any) -> dict[str, Any]:
        """The domain's part of the card."""
        return self.task.content(model)
