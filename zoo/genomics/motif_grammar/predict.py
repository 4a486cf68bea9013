"""Pretrained `MotifCnn`s as predictors of `genomics/motif_grammar`: logits, and
attributions by every method.

    model = zoo.load_model("genomics/cnn_dist.exponential")
    model.predict.attribute(tokens)["ism"]                          # [sequence, position]

Several networks count as one, whose logit is the mean of theirs; so does a network that
reads both strands.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo import attribution
from zoo.genomics.data.sequences import one_hot, reverse_complement
from zoo.genomics.models.members import networks
from zoo.genomics.models.motif_cnn import MotifCnn
from zoo.genomics.motif_grammar.mutagenesis import substitution_gains

if TYPE_CHECKING:
    from zoo.cards import ModelCard
    from zoo.genomics.motif_grammar.task import MotifInputs

SHUFFLES, STEPS = 5, 6
"""Baselines of integrated gradients, half as many as published, and points on each line by
Gauss-Legendre: fewer than the published 20, whose left sums need them. The completeness
error says whether it was enough."""
NOISE, COPIES = 0.1, 10
"""Of SmoothGrad."""
METHODS = (
    "saliency",
    "gradient_x_input",
    "gradient_norm",
    "smooth_grad",
    "integrated_gradients",
    "ism",
)


class MotifModel:
    """Networks whose mean logit is the score.

    Attributes:
        input_form, output_form: see `zoo.interfaces.predictor.PretrainedPredictor`.

    Args:
        models: frozen networks.
        declared: the method that stands for the model, chosen on validation sequences.
        both_strands: average over the sequence and its reverse complement.
        threshold: logit from which a sequence counts as positive, chosen on validation sequences.
        methods: those computed on a task's explained sequences.
    """

    input_form = "MotifInputs: tokens int8 [sequence, 200] and which rows to explain"
    output_form = "score [sequence] (logit), attribution {method: [explained, position]}"

    def __init__(
        self,
        models: Sequence[MotifCnn],
        *,
        declared: str = "ism",
        both_strands: bool = False,
        threshold: float = 0.0,
        methods: Sequence[str] = METHODS,
    ):
        if declared not in methods:
            raise ValueError(f"declared method {declared!r} is none of {', '.join(methods)}")
        self.models, self.declared, self.both_strands, self.methods = (
            list(models),
            declared,
            both_strands,
            tuple(methods),
        )
        self.length, self.threshold = self.models[0].config.length, threshold
        split = [nnx.split(model) for model in self.models]

        def score(x: jax.Array) -> jax.Array:
            total: Any = sum(nnx.merge(graph, state)(x) for graph, state in split)
            if both_strands:
                total = (
                    total + sum(nnx.merge(graph, state)(x[:, ::-1, ::-1]) for graph, state in split)
                ) / 2
            return total / len(split)

        self.score = score
        """The differentiable score `[n]` of one-hot sequences `[n, position, 4]`, for
        `zoo.attribution`."""
        self._call = jax.jit(lambda tokens: score(one_hot(tokens, xp=jnp)))

    def __call__(self, inputs: MotifInputs) -> dict[str, Any]:
        """What the task asks for: see `zoo.genomics.motif_grammar.task`."""
        explained = self.attribute(inputs.tokens[inputs.explained], self.methods)
        error = explained.pop("completeness_error", None)
        found = {
            "score": self.logits(inputs.tokens),
            "threshold": self.threshold,
            "attribution": explained,
            "declared": self.declared,
        }
        return found if error is None else found | {"completeness_error": error}

    def logits(self, tokens: np.ndarray, *, batch: int = 500) -> np.ndarray:
        """Logits float32 `[sequence]`.

        Raises:
            ValueError: sequences of another length than the network's.
        """
        if tokens.shape[1] != self.length:
            raise ValueError(
                f"this network reads {self.length} bases, these sequences have {tokens.shape[1]}: "
                "cut them"
            )
        full = np.concatenate([tokens, np.repeat(tokens[-1:], -len(tokens) % batch, axis=0)])
        return np.concatenate(
            [np.asarray(self._call(part)) for part in np.split(full, len(full) // batch)]
        )[: len(tokens)]

    def gains(self, tokens: np.ndarray) -> np.ndarray:
        """In-silico mutagenesis: what the score gains by each substitution
        `[sequence, position, 4]`, computed by its changes alone."""
        strands = [(tokens, slice(None))]
        if self.both_strands:
            strands.append((reverse_complement(tokens), slice(None, None, -1)))
        each = [
            substitution_gains(model, one_hot(part))[:, order, order]
            for model in self.models
            for part, order in strands
        ]
        return np.mean(each, axis=0)

    def attribute(
        self, tokens: np.ndarray, methods: Sequence[str] = METHODS
    ) -> dict[str, np.ndarray]:
        """One number a position `[sequence, position]` by method, and `completeness_error`
        `[sequence]` of integrated gradients.

        Gradient methods give the value of the letter that is there (gradient times one-hot,
        summed); `gradient_norm` the length of the centred gradient over letters, which is
        to first order what `ism` gives: the root of the sum of squared gains.

        Raises:
            ValueError: an unknown method.
        """
        unknown = [method for method in methods if method not in METHODS]
        if unknown:
            raise ValueError(f"no method {unknown[0]!r}; there are {', '.join(METHODS)}")
        x, found = one_hot(tokens), {}
        if {"saliency", "gradient_x_input", "gradient_norm"} & set(methods):
            gradient = attribution.saliency(self.score, x, batch=100)
            found["saliency"] = (gradient * x).sum(-1)
            centred = attribution.centred(gradient)
            found["gradient_x_input"] = (centred * x).sum(-1)
            found["gradient_norm"] = attribution.l2_of_mutations(centred)
        if "smooth_grad" in methods:
            found["smooth_grad"] = (
                attribution.smooth_grad(self.score, x, noise=NOISE, samples=COPIES, batch=100) * x
            ).sum(-1)
        if "integrated_gradients" in methods:
            baselines = attribution.shuffles(x, SHUFFLES)
            integrated = attribution.integrated_gradients(
                self.score, x, baselines, steps=STEPS, batch=16 * STEPS
            )
            # the published convention: not times (input - baseline)
            found["integrated_gradients"] = (integrated.gradient * x).sum(-1)
            found["completeness_error"] = integrated.completeness_error
        if "ism" in methods:
            found["ism"] = attribution.l2_of_mutations(self.gains(tokens))
        return {
            name: value
            for name, value in found.items()
            if name in methods or name == "completeness_error"
        }

    def flops_per_example(self) -> float | None:
        """XLA's count of one sequence's logit."""
        from zoo.scoring import cost

        return cost.flops(self._call, jnp.zeros((1, self.length), jnp.int8))

    def example_output(self, seed: int) -> np.ndarray:
        """Logits of sixteen random sequences and the gradient of the first,
        `[16 + 4 * length]`: a card's `expected`."""
        tokens = np.random.default_rng(seed).integers(0, 4, (16, self.length)).astype(np.int8)
        gradient = attribution.saliency(self.score, one_hot(tokens[:1]))
        return np.concatenate([np.asarray(self._call(tokens)), gradient.ravel()])


def load_motif_cnn(card: ModelCard, weights: Sequence[Path]) -> MotifModel:
    """Factory named by the cards."""
    options = card.predictor_config
    return MotifModel(
        networks(card, weights),
        declared=options["declared"],
        both_strands=bool(options.get("both_strands", False)),
        threshold=float(options.get("threshold", 0.0)),
        methods=options.get("methods", METHODS),
    )


def predict_file(model: Any, source: Path, target: Path, **_: Any) -> None:
    """Behind `zoo predict`: sequences (CSV, TSV, Parquet, FASTA) in, a CSV of
    `id,logit,probability` out.

    Raises:
        ValueError: the target's name does not end in `.csv`, or the sequences have another
            length than the network's.
        zoo.genomics.data.DataError: the source cannot be read.
    """
    from zoo import files
    from zoo.genomics.data import read_table

    if Path(target).suffix != ".csv":
        raise ValueError(
            f"{target}: scores of sequences are written to .csv, not "
            f"{Path(target).suffix or 'a name without ending'!r}"
        )
    table = read_table(source, label=None)
    logits = model.predict.logits(table.tokens)
    lines = ["id,logit,probability"]
    lines += [
        f"{name},{logit:.6g},{1 / (1 + np.exp(-float(logit))):.6g}"
        for name, logit in zip(table.ids, logits, strict=True)
    ]
    files.write_text(Path(target), "\n".join(lines) + "\n")
