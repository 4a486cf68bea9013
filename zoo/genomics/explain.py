"""How networks over DNA are explained: sequence logos of attributions, a track a position,
and where motifs lie.

Every architecture of the domain gives a differentiable score of one-hot letters: the logit
of a classifier (of one subset, where a card holds several), of a masked-language model the
log-probability of the middle base when it is hidden, of a gene labeller the mean log-odds
of "coding".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo import attribution
from zoo.genomics.data.sequences import LETTERS, UNKNOWN, one_hot
from zoo.genomics.gue.predict import GueClassifier
from zoo.genomics.motif_grammar import data as motifs
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

COLOURS = {"A": "#2a9d3a", "C": "#2f5fd0", "G": "#e39b1f", "T": "#c8352b"}
ROW = 100
"""Bases in one row of a logo."""
BITS = 9.0
"""Log-odds from which a match of a core matrix is marked."""
BASELINES = 10

Places = list[tuple[str, int, int]]
"""Name, first position, position after the last."""


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
            or an unknown target.
    """
    tokens, names, planted = _sequences(model, source, examples, target)
    if isinstance(model.predict, GueClassifier):
        tokens, target = _of_subset(model.predict, tokens, target)
    function, said, length, attention = _score(model, tokens, target)
    if length is not None and tokens.shape[1] != length:
        raise NotExplainable(
            f"{model.card.id} reads sequences of {length} bases, these have {tokens.shape[1]}: "
            "cut or choose others"
        )
    x = one_hot(tokens)
    motif_model = isinstance(model.predict, MotifModel)
    found = (
        planted if planted is not None else [_matches(row) if motif_model else [] for row in tokens]
    )
    known = "planted" if planted is not None else f"matches of core motifs above {BITS:g} bits"

    def draw(row: int, explained: Explained) -> Figure:
        title = (
            f"{model.card.id}, {names[row]}: {said} = {explained.score[row]:.3g}. "
            f"{TITLES[explained.method].capitalize()}."
        )
        if explained.method == "attention":
            return attention_figure(explained, row, title, places="tokens of 8 bases")
        letters = None if explained.letters is None else explained.letters[row].sum(-1)
        return logo(
            tokens[row], explained.values[row], letters, title, places=found[row], places_are=known
        )

    complete = (tokens < UNKNOWN).all()
    return Explainable(
        function=function,
        inputs=x,
        names=names,
        target=said,
        truth=model.card.truth if source is None else "the user's",
        baselines=attribution.shuffles(x, BASELINES),
        baseline=f"{BASELINES} shuffles of each sequence",
        fill=np.float32(0.25),
        groups=np.arange(x.shape[1])[:, None] // 5,
        reduce=lambda values: values.sum(-1),
        spread=lambda each: np.repeat(each, 5, axis=1)[:, : x.shape[1]],
        draw=draw,
        letters=-1,
        mutagenesis=(lambda: model.predict.gains(tokens)) if motif_model and complete else None,
        attention=attention,
        arrays={"tokens": tokens},
    )


def _sequences(
    model: PretrainedModel, source: Path | None, examples: int, target: str | None
) -> tuple[np.ndarray, tuple[str, ...], list[Places] | None]:
    """Tokens, names, and what was planted where that is known; of a task with subsets the
    first of `target`'s, or of the first subset's."""
    if source is not None:
        from zoo.genomics.data import read_table

        table = read_table(source, label=None)[:examples]
        return table.tokens, tuple(re.sub(r"[^\w.\-]", "_", name) for name in table.ids), None
    from zoo.interfaces.task import load_task

    if not model.card.tasks:
        raise NotExplainable(f"{model.card.id} belongs to no task: give a file of sequences")
    task = load_task(model.card.tasks[0])
    every = task.examples()
    if isinstance(every.targets, motifs.PlantedSequences):
        rows = every.inputs.explained[:examples]
        chosen = every.targets[rows]
        places = [chosen.instances(row) for row in range(len(chosen))]
        return chosen.tokens, tuple(every.ids[row] for row in rows), places
    if hasattr(every.inputs, "by_subset"):
        by_subset = dict(every.inputs.by_subset())
        chosen_rows = by_subset.get(target, next(iter(by_subset.values())))[:examples]
        return (
            every.inputs.of(chosen_rows),
            tuple(every.ids[row].replace("/", "_") for row in chosen_rows),
            None,
        )
    tokens = (
        every.inputs
        if isinstance(every.inputs, np.ndarray)
        else getattr(every.inputs, "tokens", None)
    )
    if not isinstance(tokens, np.ndarray):
        raise NotExplainable(
            f"the examples of {task.spec.id} are no plain sequences: give {model.card.id} a file "
            "(FASTA or CSV)"
        )
    return np.minimum(tokens[:examples], UNKNOWN).astype(np.int8), tuple(every.ids[:examples]), None


def _of_subset(
    predictor: GueClassifier, tokens: np.ndarray, target: str | None
) -> tuple[np.ndarray, str]:
    """What the network of `target` (default: of the first subset whose length fits) reads
    of the sequences, and its name."""
    fitting = [
        name
        for name, length in predictor.lengths.items()
        if tokens.shape[1] == length
        or (name in predictor.crop and tokens.shape[1] >= predictor.crop[name] + length)
    ]
    chosen = target or next(iter(fitting), predictor.subsets[0])
    try:
        return predictor.read(tokens, chosen), chosen
    except ValueError as error:
        raise NotExplainable(str(error)) from error


def _score(
    model: PretrainedModel, tokens: np.ndarray, target: str | None
) -> tuple[Callable[[Any], Any], str, int | None, Callable[[], dict[str, np.ndarray]] | None]:
    """Differentiable score of one-hot letters, in words, the length that it needs, and
    attention where there is some."""
    if isinstance(model.predict, MotifModel):
        return model.predict.score, "logit of positive", model.predict.length, None
    module = model.module()
    if hasattr(module, "networks"):
        lengths = model.card.predictor_config["lengths"]
        fitting = [name for name, length in lengths.items() if length == tokens.shape[1]]
        chosen = target or (fitting[0] if fitting else next(iter(lengths)))
        if chosen not in lengths:
            raise NotExplainable(f"no target {chosen!r}; {model.card.id} has {', '.join(lengths)}")
        network, said = module.networks[chosen], f"logit of positive ({chosen})"
        if hasattr(network, "encode"):
            function, _, _, attention = _of_encoder(model, network, network, tokens, None)
            return function, said, lengths[chosen], attention
        return _bound(network), said, lengths[chosen], None
    encoder = getattr(module, "encoder", module)
    if not hasattr(encoder, "encode"):
        return _bound(module), "logit of positive", getattr(module.config, "length", None), None
    return _of_encoder(model, module, encoder, tokens, target)


def _bound(module: Any) -> Callable[[Any], Any]:
    graph, state = nnx.split(module)
    return lambda x: nnx.merge(graph, state)(x).reshape(len(x))


def _of_encoder(
    model: PretrainedModel, module: Any, encoder: Any, tokens: np.ndarray, target: str | None
) -> Any:
    """Scores of the networks built on `SequenceEncoder`."""
    labels, tasks = module is not encoder, getattr(encoder.config, "tasks", 0)
    length = tokens.shape[1]
    whole = 8 * encoder.config.head_tokens if tasks and not labels else length + -length % 8
    known = np.arange(whole) < length
    number = 0 if target is None else int(target) if target.isdigit() else -1
    outputs = encoder.config.tasks if tasks and not labels else 2 if labels else 1
    if not 0 <= number < outputs:
        raise NotExplainable(f"no target {target!r}; {model.card.id} has outputs 0..{outputs - 1}")
    middle = length // 2
    hidden = not labels and not tasks
    graph, state = nnx.split(module)

    def padded(x: jax.Array) -> jax.Array:
        x = jnp.concatenate([x, jnp.zeros((*x.shape[:2], 1))], -1)
        if hidden:  # the middle base is not shown
            x = x.at[:, middle].set(jnp.array([0.0, 0, 0, 0, 1]))
        return jnp.pad(x, ((0, 0), (0, whole - length), (0, 0)))

    def function(x: jax.Array) -> jax.Array:
        network = nnx.merge(graph, state)
        there = jnp.broadcast_to(known, (len(x), whole))
        if tasks and not labels:
            return network.head(padded(x), there)[:, number]
        inner = network.encoder if labels else network
        log = jax.nn.log_softmax(inner.decode(*inner.encode(padded(x), there))[:, :length])
        if labels:
            return (log[..., 1 + number] - log[..., 0]).mean(1)
        return (log[:, middle] * x[:, middle]).sum(-1)

    def attention() -> dict[str, np.ndarray]:
        network = nnx.merge(graph, state)
        inner = network.encoder if labels else network
        there = jnp.broadcast_to(known, (len(tokens), whole))
        inner.encode(padded(jnp.asarray(one_hot(tokens))), there, keep_attention=True)
        # [...] does not read what was sown: a tuple
        kept = [block.attention.attention_weights.get_value() for block in inner.blocks]
        return {
            f"layer {n}": np.asarray(each[0] if isinstance(each, tuple) else each)
            for n, each in enumerate(kept, 1)
        }

    said = (
        "logit of positive" if tasks and not labels else "log-probability of the hidden middle base"
    )
    if labels:
        said = f"mean log-odds of coding on the {('forward', 'reverse')[number]} strand"
    return function, said, None, attention


def _matches(tokens: np.ndarray) -> Places:
    """Where a core matrix matches with `BITS` or more, the best first, without overlaps."""
    names, matrices = motifs.core_matrices()
    found = motifs.scan(tokens[None] % 4, matrices)[:, 0]
    places: Places = []
    for flat in np.argsort(-found, axis=None):
        number, start = np.unravel_index(flat, found.shape)
        if found[number, start] < BITS:
            break
        stop = int(start) + matrices[number].shape[1]
        if all(stop <= other[1] or start >= other[2] for other in places):
            places.append((names[number], int(start), stop))
    return places


# ------------------------------------------------------------------------------------------ figures


def logo(
    tokens: np.ndarray,
    values: np.ndarray,
    letters: np.ndarray | None,
    title: str,
    *,
    places: Places = (),
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
