"""Pretrained classifiers of GUE's subsets as predictors.

    model = zoo.load_model("genomics/cnn.gue")
    table = read_table("my_sequences.csv", label=None)
    model(table.tokens, subset="prom_core_tata")["logit"]      # [sequence]; above zero: promoter

A predictor takes `SequenceInputs` (each sequence with its subset, as the task gives them)
or plain tokens and a subset's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from scipy.special import expit

from zoo.genomics.data.sequences import one_hot
from zoo.genomics.gue.strands import STRAND_SYMMETRIC_SUBSETS, both_strands
from zoo.genomics.models.members import networks, total_flops
from zoo.genomics.models.sequence_cnn import SequenceCNN

if TYPE_CHECKING:
    from zoo.cards import ModelCard

BATCH = 256


class GueClassifier:
    """One or several models (an ensemble's mean logit), each with a network for every subset.

    Attributes:
        input_form, output_form: see `zoo.interfaces.predictor.PretrainedPredictor`.

    Args:
        models: `SequenceCNNs` or `SequenceEncoders`.
        subsets: names of the networks.
        crop: first base that is read of a subset's sequences, where they are longer than
            the network reads.
        lengths: bases of the subsets' sequences as the network reads them.
    """

    input_form = "tokens int8 [sequence, position] and subset=NAME, or SequenceInputs"
    output_form = "logit float64 [sequence] of the positive class"

    def __init__(
        self,
        models: Sequence[nnx.Module],
        *,
        subsets: Sequence[str],
        lengths: Mapping[str, int],
        crop: Mapping[str, int] | None = None,
    ):
        self.subsets, self.lengths, self.crop = tuple(subsets), dict(lengths), dict(crop or {})
        self.models = list(models)
        self._calls: dict[str, list[Callable[[np.ndarray], np.ndarray]]] = {}

    def __call__(self, inputs: Any, *, subset: str | None = None) -> dict[str, np.ndarray]:
        """`{"logit": [sequence]}`, float64: of the positive class, the mean of both strands
        for transcription factors.

        Args:
            inputs: `SequenceInputs`, or int8 tokens `[sequence, position]` with `subset`.
            subset: which network, for plain tokens.

        Raises:
            ValueError: a subset that the networks do not know, or sequences of another
                length than theirs.
        """
        if subset is not None:
            return {"logit": self.logits(np.asarray(inputs), subset)}
        if not hasattr(inputs, "by_subset"):
            raise ValueError(
                "say which question is asked of these tokens: subset= one of "
                f"{', '.join(self.subsets)}"
            )
        out = np.full(len(inputs), np.nan)
        for name, rows in inputs.by_subset():
            out[rows] = self.logits(inputs.of(rows), name)
        return {"logit": out}

    def probability(self, tokens: np.ndarray, subset: str) -> np.ndarray:
        """Probability of the positive class, float64 `[sequence]`."""
        return expit(self.logits(tokens, subset))

    def logits(self, tokens: np.ndarray, subset: str) -> np.ndarray:
        """The mean of the networks' logits for one subset, float64 `[sequence]`."""
        tokens = self.read(tokens, subset)
        outputs = [
            both_strands(call, tokens)
            if subset.startswith(STRAND_SYMMETRIC_SUBSETS)
            else call(tokens)
            for call in self._of(subset)
        ]
        return np.mean(np.asarray(outputs, np.float64), axis=0)

    def read(self, tokens: np.ndarray, subset: str) -> np.ndarray:
        """The bases that the network sees of a subset's sequences.

        Raises:
            ValueError: no such subset, or another length.
        """
        if subset not in self.subsets:
            raise ValueError(
                f"this model was not trained on {subset!r}; it knows {', '.join(self.subsets)}"
            )
        start, length = self.crop.get(subset, 0), self.lengths[subset]
        bases = tokens[:, start : start + length]
        if bases.shape[1] != length or (tokens.shape[1] > length and subset not in self.crop):
            raise ValueError(
                f"{subset} has sequences of {start + length if start else length} bases, these "
                f"have {tokens.shape[1]}"
            )
        return bases

    def _of(self, subset: str) -> list[Callable[[np.ndarray], np.ndarray]]:
        if subset not in self._calls:
            self._calls[subset] = [self._call(model, subset) for model in self.models]
        return self._calls[subset]

    def _call(self, model: nnx.Module, subset: str) -> Callable[[np.ndarray], np.ndarray]:
        """`tokens -> logits` of one network: compiled once, in batches of one size."""
        call, state = _logit(model, subset)

        def run(tokens: np.ndarray) -> np.ndarray:
            full = np.pad(tokens, ((0, -len(tokens) % BATCH), (0, 0)), mode="edge")
            parts = [
                np.asarray(call(state, full[start : start + BATCH]))
                for start in range(0, len(full), BATCH)
            ]
            return np.concatenate(parts)[: len(tokens)]

        return run

    def flops_per_example(self) -> float | None:
        """XLA's count for one sequence of the first subset, over all members and both
        strands where both are read."""
        from zoo.scoring import cost

        subset = self.subsets[0]
        tokens = jnp.zeros((1, self.lengths[subset]), jnp.int8)
        count = total_flops([cost.flops(*_logit(model, subset), tokens) for model in self.models])
        strands = 2 if subset.startswith(STRAND_SYMMETRIC_SUBSETS) else 1
        return None if count is None else count * strands

    def example_output(self, seed: int) -> np.ndarray:
        """Logits of three random sequences for every subset: a card's `expected`."""
        rng = np.random.default_rng(seed)
        out = []
        for subset in self.subsets:
            tokens = rng.integers(
                0, 4, (3, self.crop.get(subset, 0) + self.lengths[subset])
            ).astype(np.int8)
            out.append(self.logits(tokens, subset))
        return np.concatenate(out)


def _logit(model: Any, subset: str) -> tuple[Callable[[Any, Any], jax.Array], Any]:
    """The compiled function `(state, tokens) -> logits` of a subset's network, and its state."""
    network = model.networks[subset]
    graph, state = nnx.split(network)
    if isinstance(network, SequenceCNN):
        return jax.jit(
            lambda state, tokens: nnx.merge(graph, state)(one_hot(tokens, xp=jnp))
        ), state
    return jax.jit(lambda state, tokens: nnx.merge(graph, state).classify(tokens)[:, 0]), state


def load_classifier(card: ModelCard, weights: Sequence[Path]) -> GueClassifier:
    """Factory named by the cards."""
    options = card.predictor_config
    return GueClassifier(
        networks(card, weights),
        subsets=options["subsets"],
        lengths=options["lengths"],
        crop=options.get("crop"),
    )


def predict_file(
    model: Any, source: Path, target: Path, *, subset: str | None = None, **_: Any
) -> None:
    """Behind `zoo predict`: a table or FASTA of sequences in, CSV out (id, probability of
    each subset whose length fits, or of `subset`).

    Raises:
        ValueError: the target is no `.csv`, or no output of the model reads sequences of
            this length.
        zoo.genomics.data.DataError: the source cannot be read; says why.
    """
    import csv

    from zoo import files
    from zoo.genomics.data import read_table

    if Path(target).suffix != ".csv":
        raise ValueError(f"{target}: probabilities of sequences are written to a .csv file")
    table = read_table(source, label=None)
    options = model.card.predictor_config
    crop = options.get("crop", {})
    length = table.tokens.shape[1]
    fitting = [
        name
        for name in options["subsets"]
        if length == options["lengths"][name]
        or (name in crop and length >= crop[name] + options["lengths"][name])
    ]
    chosen = [subset] if subset else fitting
    if not chosen:
        known = ", ".join(f"{name} {value}" for name, value in options["lengths"].items())
        raise ValueError(
            f"no output of {model.card.id} reads sequences of {length} bases; bases by output: "
            f"{known}"
        )
    columns = {name: expit(model(table.tokens, subset=name)["logit"]) for name in chosen}
    with (
        files.whole(Path(target)) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["id", *(f"probability_{name}" for name in columns)])
        writer.writerows(
            [id, *(f"{values[row]:.6g}" for values in columns.values())]
            for row, id in enumerate(table.ids)
        )
