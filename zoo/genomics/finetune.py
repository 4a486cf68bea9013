"""Pretrained sequence networks with a new last layer for classes of one's own: the genomic
side of `zoo train --from`.

    zoo train --from genomics/sequence_encoder.gue my_promoters.csv --out my_model
    zoo predict my_model/sequence_encoder.my_promoters.toml new.fasta classes.csv

What the new layer sees of a sequence is said in `zoo.genomics.models.sequence_classifier`. Of a
model with several networks the one is taken whose features say most about the new labels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from scipy.special import softmax

from zoo.genomics.data import DataError, LabelledSequences, read_column, read_table, signatures
from zoo.genomics.data.opening import TABLES, kind_of
from zoo.genomics.data.sequences import PADDING, lengths
from zoo.genomics.models.backbones import ARCHITECTURES, Backbone, backbones
from zoo.genomics.models.members import networks, total_flops
from zoo.genomics.models.sequence_classifier import SequenceClassifier, SequenceClassifierConfig
from zoo.genomics.models.sequence_encoder import REDUCTION
from zoo.pretrained import weights as storage

if TYPE_CHECKING:
    from zoo.cards import ModelCard
    from zoo.pretrained.model import PretrainedModel

__all__ = [
    "ARCHITECTURES",
    "SequenceClassifier",
    "SequenceClassifierConfig",
    "adapt",
    "backbones",
    "load_classifier",
    "predict_file",
]

BATCH = 128


class SequenceTask:
    """The user's sequences and a pretrained network: a `zoo.interfaces.finetune.Labelled`."""

    noun, batch_size, epochs, rates = "sequences", 32, 6.0, (2e-4, 2e-3)

    def __init__(
        self,
        table: LabelledSequences,
        groups: np.ndarray,
        validation: np.ndarray | None,
        networks: dict[str, Backbone],
        notes: Sequence[str],
    ):
        self.longest = int(lengths(table.tokens).max())
        self.inputs, self.label, self.classes = (
            {"tokens": table.tokens[:, : self.longest]},
            table.labels,
            table.classes,
        )
        self.groups, self.validation, self.notes = groups, validation, list(notes)
        self.networks, self.candidates = networks, tuple(networks)

    def network(self, candidate: str, *, seed: int, pretrained: bool) -> SequenceClassifier:
        """A classifier with a last layer of zeros."""
        own = self.networks[candidate]
        settings, length = dict(own.settings), own.longest
        if own.kind == "encoder":  # no more padding than the longest sequence needs
            length = -(-self.longest // REDUCTION) * REDUCTION
        if own.kind == "motif_cnn" and not pretrained:
            settings["frozen"] = False  # random weights need the batch's own moments to train
        config = SequenceClassifierConfig(own.kind, settings, len(self.classes), length)
        model = SequenceClassifier(config, rngs=nnx.Rngs(seed), candidate=candidate)
        if pretrained:
            head = {
                name: value
                for name, value in storage.flatten(model).items()
                if name.startswith("head.")
            }
            storage.restore(model, own.parameters | head)
        return model

    def logits(self, model: SequenceClassifier, batch: Mapping[str, Any], key: Any) -> jax.Array:
        """`[sequence, class]`."""
        return model(batch["tokens"], key=key)

    def features(self, model: SequenceClassifier, batch: Mapping[str, Any]) -> jax.Array:
        """`[sequence, feature]`."""
        return model.features(batch["tokens"])

    def content(self, model: SequenceClassifier) -> dict[str, Any]:
        """The domain's part of the card."""
        here = "zoo.genomics.finetune"
        return {
            "architecture": "zoo.genomics.models.sequence_classifier:SequenceClassifier",
            "predictor": f"{here}:load_classifier",
            "predict_file": f"{here}:predict_file",
            "config": {
                name: _plain(value) for name, value in dataclasses.asdict(model.config).items()
            },
            "predictor_config": {"classes": list(self.classes)}
            | ({"network": model.candidate} if model.candidate else {}),
        }


def _plain(value: Any) -> Any:
    """Tuples as lists, as cards have them."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value


def adapt(
    source: PretrainedModel,
    data: Path,
    *,
    validation: Path | None,
    label: str | None,
    group: str | None,
    network: str | None,
    seed: int,
) -> SequenceTask:
    """The user's labelled sequences, with a pretrained network for them.

    Copies of a sequence, on either strand, are one group; with a column `group` those of
    one value are.

    Args:
        source: the pretrained model.
        data, validation: tables as `zoo.genomics.data.read_table` reads them.
        label, group: columns; default "label", and "group" where the table has it.
        network: which network, of a model with several (one for each subset of GUE).
        seed: not used; the split is made by whoever asks.

    Raises:
        zoo.genomics.data.DataError: the table lacks a column, labels, or classes; says
            which columns there are.
        ValueError: no such network, or sequences that are longer than it reads.
    """
    column = "label" if label is None else label
    tables = [_labelled(data, column)]
    if validation is not None:
        tables.append(_labelled(validation, column, classes=tables[0].classes))
    numbers = signatures.either_strand(*(table.tokens for table in tables))
    paths = [data] if validation is None else [data, validation]
    named = [each for path in paths if (each := _groups(path, group)) is not None]
    notes = []
    if len(named) == len(paths):
        # Groups that share a sequence are one: a copy must not stand on both sides either.
        groups = connected(np.concatenate(named), np.concatenate(numbers))
        numbers = np.split(groups, np.cumsum([len(each) for each in numbers])[:-1])
        notes.append(
            f"{groups.max() + 1:,} groups by column {group or 'group'!r}, each on one side of the "
            "split"
        )
    held = None
    if validation is not None:
        kept = ~np.isin(numbers[0], numbers[1])
        if not kept.all():
            notes.append(
                f"{(~kept).sum():,} training sequences left out: they (or their group) are in "
                f"{validation.name} too"
            )
        if not kept.any():
            raise ValueError(
                f"every sequence of {data} is in {validation} too; nothing is left to train on"
            )
        tables[0], numbers[0] = tables[0][kept], numbers[0][kept]
        held = np.repeat([False, True], [len(table) for table in tables])
    table = _concatenate(tables)
    longest = int(lengths(table.tokens).max())
    return SequenceTask(
        table, np.concatenate(numbers), held, _fitting(source, longest, network, data), notes
    )


def connected(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Numbers `[example]` that are equal where a chain of equal values of either array
    joins two examples."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    a, b = (np.unique(each, return_inverse=True)[1] for each in (first, second))
    n = int(a.max()) + int(b.max()) + 2
    edges = coo_array((np.ones(len(a)), (a, b + a.max() + 1)), shape=(n, n))
    return connected_components(edges, directed=False)[1][a]


def _labelled(path: Path, column: str, classes: Sequence[str] | None = None) -> LabelledSequences:
    table = read_table(path, label=column, classes=classes)
    if table.labels is None:
        raise DataError(
            f"{path} has no labels: FASTA headers say {column}=NAME (or end in |NUMBER), a Zarr "
            "store keeps them with its sequences"
        )
    return table


def _fitting(
    source: PretrainedModel, longest: int, network: str | None, data: Path
) -> dict[str, Backbone]:
    """The networks that read sequences this long, or the one that was asked for."""
    known = backbones(source)
    if network is not None and network not in known:
        names = ", ".join(name for name in known if name)
        raise ValueError(
            f"{source.card.id} has no network {network!r}; "
            + (f"it has {names}" if names else "it is one: leave it out")
        )
    chosen = known if network is None else {network: known[network]}
    fitting = {name: each for name, each in chosen.items() if longest <= each.longest}
    if not fitting:
        most = max(each.longest for each in chosen.values())
        raise ValueError(
            f"{data}: its longest sequence has {longest} bases, {source.card.id} reads at most "
            f"{most}; cut the sequences, or take a model "
            "that reads more (a sequence_encoder reads 512)"
        )
    return fitting


def _concatenate(tables: Sequence[LabelledSequences]) -> LabelledSequences:
    """Tables one after another, padded to one width."""
    width = max(table.tokens.shape[1] for table in tables)
    tokens = [
        np.pad(t.tokens, ((0, 0), (0, width - t.tokens.shape[1])), constant_values=PADDING)
        for t in tables
    ]
    ids = tuple(f"{number}:{id}" for number, table in enumerate(tables) for id in table.ids)
    return LabelledSequences(
        np.concatenate(tokens),
        np.concatenate([table.known_labels for table in tables]),
        ids,
        tables[0].classes,
    )


def _groups(path: Path, column: str | None) -> np.ndarray | None:
    """The values of the group column `[sequence]`; None where there is none and none was asked for.

    Raises:
        DataError: a column that was asked for is not there, or a sequence without a group.
    """
    name = column or "group"
    try:
        values = read_column(path, name)
    except DataError:
        if column is None:
            return None
        raise
    if column is None and None in values and kind_of(path, TABLES) == "fasta":
        return None
    empty = [number for number, value in enumerate(values, 1) if not value]
    if empty:
        raise DataError(
            f"{path}: sequence {empty[0]} has no {name!r} ({len(empty)} have none); give each "
            "sequence its group"
        )
    return np.array(values)


# --------------------------------------------------------------------------------------- prediction


class FineTunedClassifier:
    """Class probabilities of sequences.

    Attributes:
        input_form, output_form: see `zoo.interfaces.predictor.PretrainedPredictor`.

    Args:
        models: networks; the mean of their probabilities is given.
        classes: names of the outputs.
    """

    input_form = "tokens int8 [sequence, position]"
    output_form = "probability float32 [sequence, class]"

    def __init__(self, models: Sequence[SequenceClassifier], classes: Sequence[str]):
        self.models, self.classes = list(models), tuple(classes)
        self.length = self.models[0].config.length
        self._calls: list[Callable[[Any], Any]] = [
            jax.jit(lambda tokens, model=model: model(tokens)) for model in self.models
        ]

    def __call__(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """`{"probability": [sequence, class]}`, float32, in the order of `classes`.

        Raises:
            ValueError: a sequence is longer than the network reads.
        """
        tokens = np.asarray(tokens, np.int8)
        longest = int(lengths(tokens).max())
        if longest > self.length:
            raise ValueError(
                f"these sequences have up to {longest} bases, this network reads {self.length}; "
                "cut them"
            )
        full = np.full((-(-len(tokens) // BATCH) * BATCH, self.length), PADDING, np.int8)
        width = min(tokens.shape[1], self.length)
        full[: len(tokens), :width] = tokens[:, :width]
        full[len(tokens) :] = full[:1]  # padding alone has no mean
        parts = [
            np.mean(
                [
                    softmax(np.asarray(call(full[begin : begin + BATCH])), -1)
                    for call in self._calls
                ],
                0,
            )
            for begin in range(0, len(full), BATCH)
        ]
        return {"probability": np.concatenate(parts)[: len(tokens)].astype(np.float32)}

    def flops_per_example(self) -> float | None:
        """XLA's count for one sequence, over all networks."""
        from zoo.scoring import cost

        tokens = jnp.zeros((1, self.length), jnp.int8)
        return total_flops([cost.flops(call, tokens) for call in self._calls])

    def example_output(self, seed: int) -> np.ndarray:
        """Probabilities of fifteen random sequences `[15 * class]`: a card's `expected`."""
        return self(np.random.default_rng(seed).integers(0, 4, (15, self.length)).astype(np.int8))[
            "probability"
        ].ravel()


def load_classifier(card: ModelCard, weights: Sequence[Path]) -> FineTunedClassifier:
    """Factory named by the cards of fine-tuned models."""
    return FineTunedClassifier(networks(card, weights), card.predictor_config["classes"])


def predict_file(model: Any, source: Path, target: Path, **_: Any) -> None:
    """Behind `zoo predict`: sequences (CSV, TSV, Parquet, FASTA) in, a CSV of
    `id,class,probability_<class>...` out.

    Raises:
        ValueError: the target is no `.csv`, or a sequence is longer than the network reads.
        zoo.genomics.data.DataError: the source cannot be read; says why.
    """
    import csv

    from zoo import files

    if Path(target).suffix != ".csv":
        ending = Path(target).suffix or "a name without ending"
        raise ValueError(
            f"{target}: probabilities of sequences are written to .csv, not {ending!r}"
        )
    table, classes = read_table(source, label=None), model.card.predictor_config["classes"]
    probability = model(table.tokens)["probability"]
    with (
        files.whole(Path(target)) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["id", "class", *(f"probability_{name}" for name in classes)])
        for name, row in zip(table.ids, probability, strict=True):
            writer.writerow([name, classes[int(row.argmax())], *(f"{value:.6g}" for value in row)])
