"""Pretrained sequence networks with a new last layer for classes of one's own: the genomic
side of `zoo train --from`.

    zoo train --from genomics/sequence_encoder.gue my_promoters.csv --out my_model
    zoo predict my_model/sequence_encoder.my_promoters.toml new.fasta classes.csv

What the new layer sees of a sequence: of `SequenceEncoder` (one of `SequenceEncoders`, or
inside `GeneLabeller`) the mean and the maximum of its tokens' features; of `SequenceCNN`
its last hidden layer, and the old logit of the letters at their places where it has one; of
`MotifCnn` its last hidden layer. Of a model with several networks the one is taken whose
features say most about the new labels. Shorter sequences are padded at their end; longer
ones than the network reads are refused.
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
from jaxtyping import Array, Float, Int
from scipy.special import softmax

from zoo.genomics.data import DataError, LabelledSequences, read_table, signatures
from zoo.genomics.data.sequences import PADDING, lengths, one_hot
from zoo.genomics.models.low_rank import SequenceEncodersConfig
from zoo.genomics.models.motif_cnn import HIDDEN, MotifCnn, MotifCnnConfig
from zoo.genomics.models.sequence_cnn import SequenceCNN, SequenceCNNConfig, SequenceCNNsConfig
from zoo.genomics.models.sequence_encoder import (
    REDUCTION,
    SequenceEncoder,
    SequenceEncoderConfig,
    pad,
)
from zoo.pretrained import weights as storage

if TYPE_CHECKING:
    from zoo.cards import ModelCard
    from zoo.pretrained.model import PretrainedModel

__all__ = [
    "ARCHITECTURES",
    "SequenceClassifier",
    "SequenceClassifierConfig",
    "adapt",
    "load_classifier",
    "predict_file",
]

_MODELS = "zoo.genomics.models"
ARCHITECTURES = (
    f"{_MODELS}.sequence_encoder:SequenceEncoder",
    f"{_MODELS}.low_rank:SequenceEncoders",
    f"{_MODELS}.gene_labeller:GeneLabeller",
    f"{_MODELS}.sequence_cnn:SequenceCNNs",
    f"{_MODELS}.motif_cnn:MotifCnn",
    "zoo.genomics.finetune:SequenceClassifier",
)
"""What can be adapted."""
BACKBONES: dict[str, tuple[type, type]] = {
    "encoder": (SequenceEncoder, SequenceEncoderConfig),
    "cnn": (SequenceCNN, SequenceCNNConfig),
    "motif_cnn": (MotifCnn, MotifCnnConfig),
}
BATCH = 128


@dataclasses.dataclass(frozen=True)
class SequenceClassifierConfig:
    """A pretrained design and the classes that are told apart.

    Attributes:
        backbone: key of `BACKBONES`.
        settings: fields of the backbone's config.
        classes: outputs.
        length: bases of the longest sequence that is read.
    """

    backbone: str
    settings: Mapping[str, Any]
    classes: int
    length: int


class Passed(nnx.Module):
    """Stands where a network's last layer stood, and gives what that layer was given,
    `[batch, 1, feature]`."""

    def __call__(self, x: jax.Array) -> jax.Array:
        """The input, with an axis that the network takes away again."""
        return x[:, None]


class SequenceClassifier(nnx.Module):
    """Tokens to logits of the classes: a backbone without its last layer, and a linear one.

    Args:
        config: see `SequenceClassifierConfig`.
        rngs: random streams.
        candidate: the name of the network that the backbone comes from, where a model has several.
    """

    def __init__(self, config: SequenceClassifierConfig, *, rngs: nnx.Rngs, candidate: str = ""):
        self.config, self.candidate = config, candidate
        kind, settings = BACKBONES[config.backbone]
        self.backbone = kind(settings(**_tuples(config.settings)), rngs=rngs)
        design = self.backbone.config
        placed = config.backbone == "cnn" and design.placed
        # Its own logit a sequence, which the new layer may use as it uses the others.
        self.places = nnx.Param(self.backbone.places[...]) if placed else None
        if config.backbone == "encoder":
            # the way back up to single bases
            del self.backbone.ups, self.backbone.hidden, self.backbone.letters
            width = 2 * design.features
        elif config.backbone == "cnn":
            self.backbone.logit, self.backbone.places, width = (
                Passed(),
                None,
                design.hidden + placed,
            )
        else:
            self.backbone.out, width = Passed(), HIDDEN
        self.head = nnx.Linear(
            width, config.classes, kernel_init=nnx.initializers.zeros_init(), rngs=rngs
        )

    def features(
        self, tokens: Int[Array, "batch position"], *, key: jax.Array | None = None
    ) -> Float[Array, "batch feature"]:
        """What the last layer sees. `key`: of dropout; None: no dropout.

        Raises:
            ValueError: the sequences are longer than `config.length`.
        """
        padded = pad(tokens, self.config.length)
        if self.config.backbone != "encoder":
            x = one_hot(padded, xp=jnp)
            found = self.backbone(x, key=key)
            return (
                found
                if self.places is None
                else jnp.concatenate(
                    [found, jnp.einsum("bpl,pl->b", x, self.places[...])[:, None]], 1
                )
            )
        padded = pad(padded)
        x, _ = self.backbone.encode(self.backbone.inputs(padded), padded != PADDING, key=key)
        there = (padded != PADDING).reshape(len(padded), -1, REDUCTION).any(-1)[..., None]
        return jnp.concatenate(
            [jnp.where(there, x, 0.0).sum(1) / there.sum(1), jnp.where(there, x, -jnp.inf).max(1)],
            -1,
        )

    def __call__(
        self, tokens: Int[Array, "batch position"], *, key: jax.Array | None = None
    ) -> Float[Array, "batch class"]:
        """Logits of sequences of at most `config.length` bases."""
        return self.head(self.features(tokens, key=key))


def _tuples(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A card's lists as tuples: a configuration is frozen."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }


# --------------------------------------------------------------------------------- pretrained parts


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A pretrained network to be adapted.

    Attributes:
        kind: key of `BACKBONES`.
        settings: fields of its config.
        longest: bases of the longest sequence that it can read.
        parameters: by dotted name as `SequenceClassifier` has them (`backbone.…`,
            `places`), without the last layer.
    """

    kind: str
    settings: dict[str, Any]
    longest: int
    parameters: dict[str, np.ndarray]


def backbones(source: PretrainedModel) -> dict[str, Backbone]:
    """The networks of a pretrained model that can be adapted, by name."""
    from zoo.pretrained.model import parameters

    card, flat = source.card, parameters(source.card, source.weights[0])
    settings, kind = dict(card.config), card.architecture.split(":")[1]

    def part(prefix: str, without: tuple[str, ...]) -> dict[str, np.ndarray]:
        inside = {
            name.removeprefix(prefix): value
            for name, value in flat.items()
            if name.startswith(prefix)
        }
        return {
            f"backbone.{name}": value
            for name, value in inside.items()
            if not name.startswith(without)
        }

    if kind == "SequenceClassifier":
        own = {name: value for name, value in flat.items() if not name.startswith("head.")}
        longest = _longest(settings["backbone"], settings["settings"])
        return {"": Backbone(settings["backbone"], dict(settings["settings"]), longest, own)}
    if kind == "SequenceCNNs":
        config = SequenceCNNsConfig(**_tuples(settings))
        found = {}
        for name in config.subsets:
            design = dataclasses.asdict(config.of(name))
            own = part(f"networks.{name}.", ("logit.", "places"))
            if f"networks.{name}.places" in flat:
                own["places"] = flat[f"networks.{name}.places"]
            found[name] = Backbone("cnn", design, design["length"], own)
        return found
    if kind == "SequenceEncoders":
        encoders = SequenceEncodersConfig(**_tuples(settings))
        found = {}
        for name in encoders.subsets:
            design = dataclasses.asdict(encoders.of(name)) | {"tasks": 0}
            found[name] = Backbone(
                "encoder",
                design,
                _longest("encoder", design),
                part(f"networks.{name}.", ("head_",)),
            )
        return found
    if kind == "MotifCnn":
        return {
            "": Backbone(
                "motif_cnn",
                settings | {"frozen": True},
                _longest("motif_cnn", settings),
                part("", ("out.",)),
            )
        }
    names = {field.name for field in dataclasses.fields(SequenceEncoderConfig)}
    settings = {name: value for name, value in settings.items() if name in names} | {"tasks": 0}
    own = part(
        "encoder." if kind == "GeneLabeller" else "", ("ups.", "hidden.", "letters.", "head_")
    )
    return {"": Backbone("encoder", settings, _longest("encoder", settings), own)}


def _longest(kind: str, settings: Mapping[str, Any]) -> int:
    config = BACKBONES[kind][1](**_tuples(settings))
    return REDUCTION * config.max_tokens if kind == "encoder" else config.length


# ----------------------------------------------------------------------------------------- the data


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
            "architecture": f"{here}:SequenceClassifier",
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
    named = [_groups(path, group) for path in (data, validation) if path is not None]
    notes = []
    if all(each is not None for each in named):
        # Groups that share a sequence are one: a copy must not stand on both sides either.
        joined = connected(np.concatenate(named), np.concatenate(numbers))
        numbers = np.split(joined, np.cumsum([len(each) for each in named])[:-1])
        notes.append(
            f"{joined.max() + 1:,} groups by column {group or 'group'!r}, each on one side of the "
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
    table = _joined(tables)
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
    joined = coo_array((np.ones(len(a)), (a, b + a.max() + 1)), shape=(n, n))
    return connected_components(joined, directed=False)[1][a]


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


def _joined(tables: Sequence[LabelledSequences]) -> LabelledSequences:
    """Tables one after another, padded to one width."""
    width = max(table.tokens.shape[1] for table in tables)
    tokens = [
        np.pad(t.tokens, ((0, 0), (0, width - t.tokens.shape[1])), constant_values=PADDING)
        for t in tables
    ]
    ids = tuple(f"{number}:{id}" for number, table in enumerate(tables) for id in table.ids)
    return LabelledSequences(
        np.concatenate(tokens), np.concatenate([t.labels for t in tables]), ids, tables[0].classes
    )


def _groups(path: Path, column: str | None) -> np.ndarray | None:
    """The values of the group column `[sequence]`; None where there is none and none was asked for.

    Raises:
        DataError: a column that was asked for is not there, or a sequence without a group.
    """
    from zoo.genomics.data import tables
    from zoo.genomics.data.opening import kind_of

    kind, name = kind_of(path, ("csv", "tsv", "parquet", "fasta", "zarr")), column or "group"
    if kind == "zarr":
        if column is not None:
            raise DataError(
                f"{path} is a Zarr store, which keeps no column {column!r}; bring a table, or a "
                "validation file"
            )
        return None
    try:
        if kind == "fasta":
            values = [
                tables._header_label(header, name) for header, _ in tables.fasta_records(path)
            ]
            if column is None and None in values:
                return None
        elif kind == "parquet":
            import pyarrow.parquet

            header = pyarrow.parquet.read_schema(path).names
            tables._columns(path, header, name, None, None)
            values = [
                None if value is None else str(value)
                for value in pyarrow.parquet.read_table(path, columns=[name])[name].to_pylist()
            ]
        else:
            values, _, _ = tables._delimited(path, "," if kind == "csv" else "\t", name, None, None)
    except DataError:
        if column is None:
            return None
        raise
    empty = [number for number, value in enumerate(values, 1) if not value]
    if empty:
        raise DataError(
            f"{path}: sequence {empty[0]} has no {name!r} ({len(empty)} have none); give each "
            "sequence its group"
        )
    return np.array(values)


# --------------------------------------------------------------------------------------- prediction


class TransferredClassifier:
    """Class probabilities of sequences.

    Args:
        models: networks; the mean of their probabilities is given.
        classes: names of the outputs.
    """

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

        counts = [cost.flops(call, jnp.zeros((1, self.length), jnp.int8)) for call in self._calls]
        return None if None in counts else float(sum(counts))

    def example_output(self, seed: int) -> np.ndarray:
        """Probabilities of fifteen random sequences `[15 * class]`: a card's `expected`."""
        return self(np.random.default_rng(seed).integers(0, 4, (15, self.length)).astype(np.int8))[
            "probability"
        ].ravel()


def load_classifier(card: ModelCard, weights: Sequence[Path]) -> TransferredClassifier:
    """Factory named by the cards of fine-tuned models."""
    from zoo.pretrained.model import blank, parameters

    models = [storage.restore(blank(card), parameters(card, path)) for path in weights]
    return TransferredClassifier(models, card.predictor_config["classes"])


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
