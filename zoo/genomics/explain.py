"""How networks over DNA are explained: sequence logos of attributions, a track a position,
and where motifs lie.

Every task family gives a differentiable score of one-hot letters (`<family>/explain.py`): the
logit of a classifier (of one subset, where a card holds several), of a masked-language model
the log-probability of the middle base when it is hidden, of a gene labeller the mean log-odds
of "coding".
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo import attribution
from zoo.genomics.data import read_table
from zoo.genomics.data.sequences import LETTERS, UNKNOWN, one_hot
from zoo.genomics.ecoli.explain import sequence_score as ecoli_score
from zoo.genomics.ecoli.predict import BaseLabeller, MaskedLanguageModel
from zoo.genomics.gue.explain import sequence_score as gue_score
from zoo.genomics.gue.predict import GueClassifier
from zoo.genomics.gue.stacking import StackedClassifier
from zoo.genomics.models.sequence_score import SequenceScore
from zoo.genomics.motif_grammar.explain import sequence_score as motif_grammar_score
from zoo.genomics.motif_grammar.predict import MotifModel
from zoo.interfaces.explanation import (
    TITLES,
    Explainable,
    Explained,
    NotExplainable,
    attention_figure,
    canvas,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from zoo.pretrained.model import PretrainedModel

FAMILIES: dict[type, Callable[..., SequenceScore]] = {
    MotifModel: motif_grammar_score,
    GueClassifier: gue_score,
    StackedClassifier: gue_score,
    MaskedLanguageModel: ecoli_score,
    BaseLabeller: ecoli_score,
}
"""Predictor -> the score of its models."""
COLOURS = {"A": "#2a9d3a", "C": "#2f5fd0", "G": "#e39b1f", "T": "#c8352b"}
ROW = 100
"""Bases in one row of a logo."""
BASELINES = 10


def explainable(
    model: PretrainedModel, source: Path | None, *, examples: int, target: str | None
) -> Explainable:
    """A model of the domain with sequences to explain.

    Args:
        model: the pretrained model.
        source: FASTA, CSV, TSV or Parquet; None: the first positives (or windows) of the
            model's own task.
        examples: how many sequences.
        target: subset of a card that holds several networks, or class of a gene labeller.

    Raises:
        NotExplainable: sequences of another length than the network's, or holding no base;
            an unknown target; or a model without a score of letters.
    """
    score = _score(model, source, examples, target)
    tokens = score.tokens
    if score.length is not None and tokens.shape[1] != score.length:
        raise NotExplainable(
            f"{model.card.id} reads sequences of {score.length} bases, these have "
            f"{tokens.shape[1]}: cut or choose others"
        )
    x = one_hot(tokens)

    def draw(row: int, explained: Explained) -> Figure:
        title = (
            f"{model.card.id}, {score.names[row]}: {score.target} = {explained.score[row]:.3g}. "
            f"{TITLES[explained.method].capitalize()}."
        )
        if explained.method == "attention":
            return attention_figure(explained, row, title, places="tokens of 8 bases")
        letters = None if explained.letters is None else explained.letters[row].sum(-1)
        places = [] if score.places is None else score.places[row]
        return logo(
            tokens[row],
            explained.values[row],
            letters,
            title,
            places=places,
            places_are=score.places_are,
        )

    return Explainable(
        function=score.function,
        inputs=x,
        names=score.names,
        target=score.target,
        truth=model.card.truth if source is None else "the user's",
        baselines=attribution.shuffles(x, BASELINES),
        baseline=f"{BASELINES} shuffles of each sequence",
        fill=np.float32(0.25),
        groups=np.arange(x.shape[1])[:, None] // 5,
        reduce=lambda values: values.sum(-1),
        spread=lambda each: np.repeat(each, 5, axis=1)[:, : x.shape[1]],
        draw=draw,
        letters=-1,
        mutagenesis=score.gains,
        attention=score.attention,
        arrays={"tokens": tokens},
    )


def _score(
    model: PretrainedModel, source: Path | None, examples: int, target: str | None
) -> SequenceScore:
    """The score of the model's family, with names that can name files."""
    fitting = [score for kind, score in FAMILIES.items() if isinstance(model.predict, kind)]
    if not fitting:
        raise NotExplainable(
            f"{model.card.id} has no score of single letters; models of GUE, of planted motifs "
            "and of E. coli have one"
        )
    if source is None and not model.card.tasks:
        raise NotExplainable(f"{model.card.id} belongs to no task: give a file of sequences")
    table = None if source is None else read_table(source, label=None)[:examples]
    score = fitting[0](model, table, examples=examples, target=target)
    names = tuple(re.sub(r"[^\w.\-]", "_", name) for name in score.names)
    return dataclasses.replace(score, names=names)


# ------------------------------------------------------------------------------------------ figures


def logo(
    tokens: np.ndarray,
    values: np.ndarray,
    letters: np.ndarray | None,
    title: str,
    *,
    places: Sequence[tuple[str, int, int]] = (),
    places_are: str = "",
) -> Figure:
    """A sequence with its attributions: letters as high as theirs (where given), a track of
    one number a position, motifs below.

    Args:
        tokens: `[position]`.
        values: `[position]`, the track.
        letters: `[position]`, height of the letter that is there; None: no logo.
        title: of the figure.
        places: motifs to be marked.
        places_are: what they are.
    """
    length = len(tokens)
    rows = -(-length // ROW)
    height = (1.3 if letters is not None else 0.0) + 0.95
    figure = canvas(12.5, 0.55 + rows * (height + 0.35), title)
    ratios = ([1.3] if letters is not None else []) + [0.95]
    grid = figure.subplots(
        rows * len(ratios), 1, squeeze=False, gridspec_kw={"height_ratios": ratios * rows}
    )[:, 0]
    for row in range(rows):
        begin, end = row * ROW, min((row + 1) * ROW, length)
        axes = grid[row * len(ratios) : (row + 1) * len(ratios)]
        if letters is not None:
            _letters(axes[0], tokens, letters, begin, end)
            _plain(axes[0], begin, "letter")
            axes[0].set_ylim(_limits(letters))
            axes[0].set_xticklabels([])
        track = axes[-1]
        track.stairs(
            values[begin:end],
            np.arange(begin, end + 1) - 0.5,
            fill=True,
            color="#4b5563",
            alpha=0.55,
            linewidth=0,
        )
        low, high = _limits(values)
        room = 0.30 * (high - low)
        track.set_ylim(low - room, high)
        _plain(track, begin, "position")
        for name, start, stop in places:
            if start < end and stop > begin:
                a, b = max(start, begin) - 0.5, min(stop, end) - 0.5
                track.fill_between(
                    [a, b], low - 0.95 * room, low - 0.12 * room, color="#f4c95d", linewidth=0
                )
                if b - a > 4:
                    track.text(
                        (a + b) / 2, low - 0.54 * room, name, ha="center", va="center", fontsize=7
                    )
    grid[-1].set_xlabel(f"position{'; yellow: ' + places_are if places else ''}", fontsize=8)
    return figure


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Lowest (or zero) and highest, with a little room."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    span = max(high - low, 1e-12)
    return low - 0.04 * span * (low < 0), high + 0.04 * span


def _plain(axes: Axes, begin: int, label: str) -> None:
    axes.set_xlim(begin - 0.7, begin + ROW - 0.3)
    axes.set_xticks(range(begin, begin + ROW + 1, 10))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7)
    axes.set_ylabel(label, fontsize=8)
    axes.axhline(0.0, color="black", linewidth=0.6)


def _letters(axes: Axes, tokens: np.ndarray, heights: np.ndarray, begin: int, end: int) -> None:
    """Each letter scaled to its height, from zero up or down."""
    from matplotlib.collections import PatchCollection
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import PathPatch
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    font = FontProperties(family="DejaVu Sans", weight="bold")
    shapes = {letter: TextPath((0, 0), letter, size=1, prop=font) for letter in LETTERS}
    for letter, shape in shapes.items():
        box = shape.get_extents()
        patches = []
        for place in range(begin, end):
            if tokens[place] < UNKNOWN and LETTERS[tokens[place]] == letter and heights[place] != 0:
                move = (
                    Affine2D()
                    .translate(-box.x0, -box.y0)
                    .scale(0.92 / box.width, heights[place] / box.height)
                )
                patches.append(PathPatch(move.translate(place - 0.46, 0.0).transform_path(shape)))
        axes.add_collection(PatchCollection(patches, facecolor=COLOURS[letter], edgecolor="none"))
