"""`genomics/ecoli_lm` and `genomics/ecoli_genes`: an observed genome, split into three arcs
of one chromosome.

An *example* of both tasks is a window of the test arc; windows adjoin, so that their order
is the genome's. Neighbours are alike (genes and operons reach over several windows), hence
the block bootstrap of both.

`ecoli_lm`: a predictor maps corrupted windows, tokens int8 `[window, 512]` with 6 where a
base is hidden, to `{"log_probability": [window, 512, 4]}` (natural logarithms; or
`{"probability": ...}`) of the letters A, C, G, T that stood there. Which positions are
scored is not told; a predictor may reckon with its being asked only where the protocol
chose.

`ecoli_genes`: a predictor maps windows, tokens int8 `[window, 1024]`, which it may join to
one arc (`tokens.reshape(-1)`), to `{"label": [window, 1024]}`, 0 non-coding, 1 CDS on the
forward strand, 2 CDS on the reverse strand; or to `{"probability": [window, 1024, 3]}`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from zoo.genomics.ecoli.metrics import genes, language
from zoo.genomics.models.masking import KINDS, corrupt
from zoo.interfaces.figures import Figure, Grid
from zoo.interfaces.task import Arrays, Examples, Task

if TYPE_CHECKING:
    from zoo.genomics.data import Features, Genome

GENOME, ANNOTATION = (
    "GCF_000005845.2_ASM584v2_genomic.fna.gz",
    "GCF_000005845.2_ASM584v2_genomic.gff.gz",
)
LETTERS = 4
REGIONS = ("non_coding", "coding", "other")
"""`other`: not scored in `ecoli_genes` (both strands coding, or a pseudogene)."""
CLASSES = ("non_coding", "cds_plus", "cds_minus")
UNSCORED = 3


class EColi(Task):
    """What both tasks share: the genome, its genes, its arcs."""

    @property
    def window(self) -> int:
        """Bases of an example."""
        return self.spec.parameter("window")

    @property
    def arcs(self) -> dict[str, tuple[int, int | None]]:
        """The splits: first base (from 0) and stop on the forward strand."""
        validation, test = (
            self.spec.parameter("validation_begins"),
            self.spec.parameter("test_begins"),
        )
        return {"train": (0, validation), "validation": (validation, test), "test": (test, None)}

    @functools.cached_property
    def genome(self) -> Genome:
        """The chromosome as tokens."""
        from zoo.genomics.data import read_genome

        return read_genome(self.file(GENOME))

    @functools.cached_property
    def tokens(self) -> np.ndarray:
        """Tokens int8 `[base]` of the first record.

        Raises:
            ValueError: it holds an unknown base, of which no score could be computed.
        """
        tokens = self.genome.tokens[0]
        if (tokens >= LETTERS).any():
            raise ValueError(
                f"{self.spec.id} needs a genome without unknown bases; base "
                f"{int(np.argmax(tokens >= LETTERS)) + 1} is N"
            )
        return tokens

    @functools.cached_property
    def features(self) -> Features:
        """The CDS rows, with those of pseudogenes."""
        from zoo.genomics.data import read_features

        return read_features(self.file(ANNOTATION), self.genome)

    @functools.cached_property
    def pseudogenes(self) -> Features:
        """The rows of kind `pseudogene`."""
        from zoo.genomics.data import read_features

        return read_features(self.file(ANNOTATION), self.genome, kind="pseudogene")

    @functools.cached_property
    def labels(self) -> np.ndarray:
        """Label uint8 `[base]` of the whole genome, `base_labels`."""
        return base_labels(len(self.tokens), self.features, self.pseudogenes)

    def arc(self, split: str, of: np.ndarray | None = None) -> np.ndarray:
        """One split of the tokens, or of another array along the genome.

        Raises:
            ValueError: no such split.
        """
        if split not in self.arcs:
            raise ValueError(f"no arc {split!r}; there are {', '.join(self.arcs)}")
        return (self.tokens if of is None else of)[slice(*self.arcs[split])]

    def windows(self, split: str, of: np.ndarray | None = None) -> np.ndarray:
        """An arc cut into adjoining windows `[window, position]`; the last bases, which
        fill none, are left out."""
        arc = self.arc(split, of)
        return arc[: len(arc) // self.window * self.window].reshape(-1, self.window)

    def ids(self, split: str) -> tuple[str, ...]:
        """The first base of each window, counted from 1 as GFF does."""
        first = self.arcs[split][0]
        return tuple(
            f"{first + number * self.window + 1}" for number in range(len(self.windows(split)))
        )


class EColiLanguage(EColi):
    """Masked-language modelling. The record holds sums of nats, counts and hits by window,
    kind and region of the chosen positions."""

    def examples(self, split: str = "test") -> Examples:
        """Corrupted windows of an arc; the targets are the chosen positions, their letters,
        kinds and regions."""
        whole = self.windows(split)
        chosen, seed, hidden, kept = map(self.spec.parameter, ("chosen", "seed", "hidden", "kept"))
        # The seed names the corruption of the test arc; of the validation arc it is one more.
        corrupted, places, kinds = corrupt(
            whole, chosen, seed=seed + (split != "test"), hidden=hidden, kept=kept
        )
        regions = np.array([0, 1, 1, 2], np.uint8)[
            np.take_along_axis(self.windows(split, self.labels), places, 1)
        ]
        letters = np.take_along_axis(whole, places, 1)
        return Examples(
            self.ids(split),
            corrupted,
            {"place": places, "letter": letters, "kind": kinds, "region": regions},
        )

    def record(self, predictions: Mapping[str, np.ndarray], examples: Examples) -> Arrays:
        """`nats`, `hits` float64 and `count` int16 `[window, kind, region]` over the chosen
        positions.

        Raises:
            ValueError: a wrong shape, a value that is no probability, or one that is not finite.
        """
        log = log_probability(
            predictions, shape=(*examples.inputs.shape, LETTERS), task=self.spec.id
        )
        truth = examples.targets
        log = np.take_along_axis(log, truth["place"][..., None], 1)
        nats = language.negative_log_likelihood(log, truth["letter"])
        if not np.isfinite(nats).all():
            place = examples.ids[int(np.argmax(~np.isfinite(nats).all(1)))]
            raise ValueError(
                f"a true base of window {place} has probability zero; no model may exclude a base "
                "(smooth its counts)"
            )
        group = truth["kind"].astype(np.int64) * len(REGIONS) + truth["region"]
        groups, shape = len(KINDS) * len(REGIONS), (len(examples), len(KINDS), len(REGIONS))
        sums = {
            "nats": nats,
            "hits": log.argmax(-1) == truth["letter"],
            "count": np.ones_like(nats),
        }
        found = {
            name: language.group_sums(value, group, groups).reshape(shape)
            for name, value in sums.items()
        }
        return found | {
            "count": found["count"].astype(np.int16),
            "hits": found["hits"].astype(np.int16),
        }

    def statistics(self, record: Mapping[str, np.ndarray]) -> Arrays:
        """The record's own sums, float64."""
        return {name: np.asarray(record[name], np.float64) for name in ("nats", "hits", "count")}

    def values(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Cross-entropies (nats), bits, perplexity and accuracy; of all chosen positions,
        of the hidden ones, and of these by region."""
        nats, hits, count = (means[name] for name in ("nats", "hits", "count"))
        visible = nats[..., 1:, :].sum((-1, -2)) / count[..., 1:, :].sum((-1, -2))
        every, masked = (
            nats.sum((-1, -2)) / count.sum((-1, -2)),
            nats[..., 0, :].sum(-1) / count[..., 0, :].sum(-1),
        )
        by_region = nats[..., 0, :] / count[..., 0, :] / language.NATS_PER_BIT
        return {
            "cross_entropy": every,
            "perplexity": language.perplexity(every),
            "bits": every / language.NATS_PER_BIT,
            "cross_entropy_masked": masked,
            "bits_masked": masked / language.NATS_PER_BIT,
            "cross_entropy_visible": visible,
            "accuracy_masked": hits[..., 0, :].sum(-1) / count[..., 0, :].sum(-1),
            **{
                f"bits_by_region.{name}": by_region[..., REGIONS.index(name)]
                for name in ("coding", "non_coding")
            },
        }


class EColiGenes(EColi):
    """Labels per base. The record holds predicted and true label of every base."""

    def examples(self, split: str = "test") -> Examples:
        """Windows of an arc; the targets are labels uint8 `[window, position]`, 3 where
        nothing is scored."""
        return Examples(self.ids(split), self.windows(split), self.windows(split, self.labels))

    def record(self, predictions: Mapping[str, np.ndarray], examples: Examples) -> Arrays:
        """`predicted`, `label` uint8 `[window, position]`.

        Raises:
            ValueError: neither `label` nor `probability`, a wrong shape, an unknown label
                or a value that is not finite.
        """
        shape = examples.inputs.shape
        if "label" in predictions:
            label = np.asarray(predictions["label"])
        elif "probability" in predictions:
            probability = np.asarray(predictions["probability"])
            if probability.shape != (*shape, len(CLASSES)) or not np.isfinite(probability).all():
                raise ValueError(
                    f"predictions['probability'] has shape {probability.shape} or values that are "
                    f"not finite; {self.spec.id} needs finite {(*shape, len(CLASSES))}: [window, "
                    "position, class]"
                )
            label = probability.argmax(-1)
        else:
            raise ValueError(
                f"predictions of {self.spec.id} need 'label' [window, position] or 'probability', "
                f"got {sorted(predictions)}"
            )
        if label.shape != shape or not np.isin(label, range(len(CLASSES))).all():
            names = ", ".join(f"{number} {name}" for number, name in enumerate(CLASSES))
            raise ValueError(
                f"predictions['label'] must be {shape}: [window, position] of {names}; it is "
                f"{label.shape}"
            )
        return {
            "predicted": label.astype(np.uint8),
            "label": np.asarray(examples.targets, np.uint8),
        }

    def statistics(self, record: Mapping[str, np.ndarray]) -> Arrays:
        """Counts `[window, true class, predicted class]` of the scored bases."""
        return {
            "table": genes.confusion(
                np.asarray(record["label"]), np.asarray(record["predicted"]), len(CLASSES)
            )
        }

    def values(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`macro_f1`, `mcc`, `accuracy`, `f1.*`: formulas of the summed counts."""
        table = means["table"]
        each = genes.f1(table)
        return {
            "macro_f1": genes.macro_f1(table),
            "mcc": genes.matthews(table),
            "accuracy": genes.accuracy(table),
            **{f"f1.{name}": each[..., number] for number, name in enumerate(CLASSES)},
        }

    def figures(self, record: Mapping[str, np.ndarray]) -> list[Figure]:
        """The confusion table: of each true class, the shares of the predicted ones."""
        table = self.statistics(record)["table"].sum(0)
        share = table / np.maximum(table.sum(1, keepdims=True), 1.0)
        names = [name.replace("_", " ") for name in CLASSES]
        return [
            Grid(
                name="confusion",
                title="Which bases are taken for which",
                row_label="annotated",
                column_label="predicted",
                rows=names,
                columns=names,
                values=[[float(min(value, 1.0)) for value in line] for line in share],
                caption=(
                    "Shares of the bases of each annotated class of the test arc (RefSeq's "
                    "annotation: evidence and prediction mixed)."
                ),
            )
        ]


def base_labels(length: int, features: Features, pseudogenes: Features) -> np.ndarray:
    """Label uint8 `[base]`: 0 non-coding, 1 CDS on the forward strand, 2 CDS on the reverse
    strand, 3 not scored.

    Not scored are bases that lie in CDS of both strands, and bases of a pseudogene (a row
    of kind pseudogene, or a CDS row marked pseudo) outside every intact CDS: neither answer
    would be wrong there. Where CDS of one strand overlap, the base is that strand's.
    """
    on = {strand: np.zeros(length, bool) for strand in (1, -1)}
    ruined = np.zeros(length, bool)
    for start, stop, strand, pseudo in zip(
        features.start, features.stop, features.strand, features.pseudo, strict=True
    ):
        (ruined if pseudo else on[int(strand)])[start:stop] = True
    for start, stop in zip(pseudogenes.start, pseudogenes.stop, strict=True):
        ruined[start:stop] = True
    label = np.where(on[1], 1, 0) + np.where(on[-1], 2, 0)
    return np.where(ruined & (label == 0), UNSCORED, label).astype(np.uint8)


def log_probability(
    predictions: Mapping[str, np.ndarray], *, shape: tuple[int, ...], task: str
) -> np.ndarray:
    """Predicted log-probabilities `[window, position, letter]`, checked.

    Raises:
        ValueError: neither `log_probability` nor `probability`; a wrong shape; NaN; rows
            that do not sum to one within 1e-3.
    """
    if "log_probability" in predictions:
        value = np.asarray(predictions["log_probability"])
    elif "probability" in predictions:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.log(np.asarray(predictions["probability"]))
    else:
        raise ValueError(
            f"predictions of {task} need 'log_probability' or 'probability' {shape}, got "
            f"{sorted(predictions)}"
        )
    if value.shape != shape:
        raise ValueError(
            f"predictions have shape {value.shape}, {task} needs {shape}: [window, position, "
            "letter]"
        )
    error = language.normalisation_error(value)
    if not error <= 1e-3:
        raise ValueError(
            f"predictions of {task} are no probabilities: sums over the letters miss one by "
            f"{error:.3g}; apply log_softmax"
        )
    return value
