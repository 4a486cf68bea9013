"""How networks over jets are explained: each particle by its attribution, in the plane
around the jet's axis.

A tagger's score is the log-odds of one class. Gradients go by the standardised features of
the particles with their four-momenta held; the baseline of integrated gradients is the
average particle (standardised features of zero) in the same places. Occlusion and the
surrogate take whole particles away. Event classifiers and autoencoders are explained by
their few features. A generator gives no score of an input.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.interfaces.explanation import (
    TITLES,
    Explainable,
    Explained,
    NotExplainable,
    attention_figure,
    canvas,
)
from zoo.interfaces.task import load_task
from zoo.particle_physics.anomaly.data import (
    EVENT_FEATURES,
    JET_FEATURES,
    event_features,
    jet_features,
)
from zoo.particle_physics.anomaly.predict import AnomalyModel, FittedAutoencoder
from zoo.particle_physics.models.features import COLUMNS, FEATURE_SETS, network_inputs
from zoo.particle_physics.models.particle_transformer import ABSENT, ParticleTransformer
from zoo.particle_physics.tagging.predict import JetTagger

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from zoo.particle_physics.data.jets import Jets
    from zoo.pretrained.model import PretrainedModel

REACH = 0.85
"""Half the width of a jet display, in rad: a little more than the largest radius, 0.8."""


def explainable(
    model: PretrainedModel, source: Path | None, *, examples: int, target: str | None
) -> Explainable:
    """A model of the domain with jets (or events) to explain.

    Args:
        model: the pretrained model.
        source: ROOT or Parquet file of jets; None: the first jets of the target's class (or
            events) of the model's own task.
        examples: how many.
        target: class whose log-odds are explained; default the last, for two classes the signal's.

    Raises:
        NotExplainable: a generator; an unknown class; a file for a model that takes none.
    """
    predictor = model.predict
    if isinstance(predictor, JetTagger):
        return _tagger(model, predictor, source, examples, target)
    if isinstance(predictor, AnomalyModel):
        return _search(model, predictor, source, examples, target)
    raise NotExplainable(
        f"{model.card.id} generates jets: it gives no score of an input that could be explained"
    )


# ------------------------------------------------------------------------------------------ taggers


def _tagger(
    model: PretrainedModel,
    tagger: JetTagger,
    source: Path | None,
    examples: int,
    target: str | None,
) -> Explainable:
    chosen = target or tagger.classes[-1]
    if chosen not in tagger.classes:
        raise NotExplainable(
            f"no class {chosen!r}; {model.card.id} tells {', '.join(tagger.classes)} apart"
        )
    number = tagger.classes.index(chosen)
    jets, names = _jets(model, tagger, source, examples, chosen)
    jets = jets.hardest(min(tagger.particles, int(jets.mask.sum(1).max())))
    places = [jets.columns.index(name) for name in COLUMNS[tagger.feature_set]]
    features, vectors = network_inputs(
        jets.particles[..., places],
        jets.mask,
        jets.scalars["jet_pt"],
        jets.scalars["jet_energy"],
        names=FEATURE_SETS[tagger.feature_set],
        columns=COLUMNS[tagger.feature_set],
    )
    width = features.shape[-1]
    # One array for every method: features, momenta, and whether the particle is there.
    inputs = np.concatenate([features, vectors, jets.mask[..., None]], -1).astype(np.float32)
    split = [nnx.split(each) for each in tagger.models]

    def function(x: jax.Array) -> jax.Array:
        there = x[..., -1] > 0.5
        part = jnp.where(there[..., None], x, 0.0)
        total = 0.0
        for graph, state in split:
            log = jax.nn.log_softmax(
                nnx.merge(graph, state)(part[..., :width], part[..., width:-1], there), axis=-1
            )
            others = jnp.delete(log, number, axis=-1, assume_unique_indices=True)
            total = total + log[:, number] - jax.nn.logsumexp(others, axis=-1)
        return total / len(split)

    average = inputs.copy()
    average[..., :width] = 0.0
    pt = np.hypot(vectors[..., 0], vectors[..., 1])
    deta, dphi = jets.column("part_deta"), jets.column("part_dphi")

    def draw(row: int, explained: Explained) -> Figure:
        said = f"log-odds of {chosen} = {explained.score[row]:.3g}"
        title = f"{model.card.id}, {names[row]}\n{said}. {TITLES[explained.method].capitalize()}."
        if explained.method == "attention":
            n = int(jets.mask[row].sum())
            cut = {
                layer: value[:, :, : n if value.shape[2] > 1 else 1, :n]
                for layer, value in explained.maps.items()
            }
            shown = Explained("attention", explained.values, explained.score, maps=cut)
            return attention_figure(shown, row, title, places="particles by pT")
        there = jets.mask[row]
        return display(
            deta[row][there], dphi[row][there], pt[row][there], explained.values[row][there], title
        )

    transformer = isinstance(tagger.models[0], ParticleTransformer)
    return Explainable(
        function=function,
        inputs=inputs,
        names=names,
        target=f"log-odds of {chosen}",
        truth=model.card.truth if source is None else "the user's",
        baselines=average[None],
        baseline="average particles in the same places",
        fill=0.0,
        groups=np.arange(inputs.shape[1])[:, None],
        reduce=lambda values: values[..., :width].sum(-1),
        spread=lambda each: each,
        draw=draw,
        attention=(lambda: attention_weights(tagger.models[0], features, vectors, jets.mask))
        if transformer
        else None,
        arrays={"pt": pt, "deta": deta, "dphi": dphi, "mask": jets.mask},
    )


def _jets(
    model: PretrainedModel, tagger: JetTagger, source: Path | None, examples: int, chosen: str
) -> tuple[Jets, tuple[str, ...]]:
    """Jets and their names."""
    if source is not None:
        from zoo.particle_physics.data.read import read_jets

        jets = read_jets(
            source, max_particles=tagger.particles, columns=tagger.columns, classes=()
        )[:examples]
        return jets, tuple(f"jet{row:05d}" for row in range(len(jets)))
    every = load_task(model.card.tasks[0]).examples()
    jets, label = every.inputs, every.targets.label
    if chosen not in jets.classes:
        raise NotExplainable(
            f"{model.card.tasks[0]} has no jets of class {chosen!r}, but "
            f"{', '.join(jets.classes)}; or give a file"
        )
    rows = np.flatnonzero(label == jets.classes.index(chosen))[:examples]
    return jets[rows], tuple(re.sub(r"[^\w.\-]", "_", every.ids[row]) for row in rows)


def attention_weights(
    model: ParticleTransformer, features: np.ndarray, vectors: np.ndarray, mask: np.ndarray
) -> dict[str, np.ndarray]:
    """Weights of each layer `[jet, head, query, key]` and of the class token
    `[jet, head, 1, key]`; absent particles get none."""
    bias = model.pair_bias(jnp.asarray(vectors), jnp.asarray(mask))
    x, found = model.embed(jnp.asarray(features).reshape(-1, features.shape[-1])), {}

    def heads(y: jax.Array, parts: int, count: int) -> jax.Array:
        return y.reshape(*mask.shape, parts, count, -1).transpose(2, 0, 3, 1, 4)

    for number, layer in enumerate(model.layers, 1):
        query, key, _ = heads(layer.queries_keys_values(layer.norm(x)), 3, layer.heads)
        scores = jnp.matmul(query * query.shape[-1] ** -0.5, key.swapaxes(-1, -2)) + bias.swapaxes(
            0, 1
        )
        found[f"layer {number}"] = np.asarray(jax.nn.softmax(scores))
        x = layer(x, bias)
    collect = model.collect
    key, _ = heads(collect.keys_values(collect.norm(x)), 2, collect.heads)
    scores = jnp.einsum("hd,jhqd->jhq", collect.query[...] * key.shape[-1] ** -0.5, key)
    found["class token"] = np.asarray(jax.nn.softmax(jnp.where(mask[:, None], scores, ABSENT)))[
        :, :, None
    ]
    return found


def display(
    deta: np.ndarray, dphi: np.ndarray, pt: np.ndarray, values: np.ndarray, title: str
) -> Figure:
    """A jet in (deta, dphi): circles whose area grows with pT, coloured by attribution.

    Args:
        deta, dphi: `[particle]` from the jet's axis, rad.
        pt: `[particle]` in GeV.
        values: `[particle]`.
        title: of the figure.
    """
    figure = canvas(5.6, 5.0, title)
    axes = figure.add_subplot()
    order = np.argsort(-pt)  # soft ones on top
    size = 9.0 * pt / 2.0 + 6.0
    signed = values.min() < 0
    top = float(np.abs(values).max()) or 1.0
    shown = axes.scatter(
        deta[order],
        dphi[order],
        s=size[order],
        c=values[order],
        cmap="RdBu_r" if signed else "viridis",
        vmin=-top if signed else 0.0,
        vmax=top,
        edgecolors="black",
        linewidths=0.4,
        alpha=0.9,
    )
    reach = min(REACH, 1.15 * float(np.abs([deta, dphi]).max()) + 0.03)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")
    axes.axhline(0.0, color="0.8", linewidth=0.6, zorder=0)
    axes.axvline(0.0, color="0.8", linewidth=0.6, zorder=0)
    axes.set_xlabel(r"$\Delta\eta$ from the jet's axis")
    axes.set_ylabel(r"$\Delta\phi$ (rad)")
    marks = [value for value in (1, 10, 50, 100, 300) if value <= pt.max()][-3:] or [1]
    handles = [
        axes.scatter(
            [], [], s=9.0 * value / 2.0 + 6.0, c="white", edgecolors="black", linewidths=0.4
        )
        for value in marks
    ]
    said = [f"pT = {value} GeV" for value in marks]
    figure.legend(
        handles, said, fontsize=7, loc="outside lower center", ncols=len(marks), frameon=False
    )
    bar = figure.colorbar(shown, ax=axes, shrink=0.85)
    bar.set_label("attribution" if signed else "size of attribution", fontsize=8)
    return figure


# ----------------------------------------------------------------------------------------- searches


def _search(
    model: PretrainedModel,
    predictor: AnomalyModel,
    source: Path | None,
    examples: int,
    target: str | None,
) -> Explainable:
    if source is not None:
        raise NotExplainable(f"{model.card.id} reads events of its own task; it takes no file")
    if target is not None:
        raise NotExplainable(f"{model.card.id} has one score, no target {target!r}")

    fitted = predictor.fitted[0]
    auto = isinstance(fitted, FittedAutoencoder)
    every = load_task(model.card.tasks[0]).examples()
    rows = np.flatnonzero(every.targets.process == 1)[:examples]
    pairs = type(every.inputs)(every.inputs.values[rows])
    inputs = fitted.standardise(jet_features(pairs) if auto else event_features(pairs))
    names = tuple(re.sub(r"[^\w.\-]", "_", every.ids[row]) for row in rows)
    labels = (
        [f"{name}, jet {jet}" for jet in (1, 2) for name in JET_FEATURES]
        if auto
        else list(EVENT_FEATURES)
    )
    graph, state = nnx.split(fitted.model)

    def function(x: jax.Array) -> jax.Array:
        out = fitted.output(nnx.merge(graph, state), x)
        return out if out.ndim == 1 else out.reshape(-1, len(x)).mean(0)

    said = "squared error of reproduction" if auto else "mean log-odds of signal"

    def draw(row: int, explained: Explained) -> Figure:
        title = (
            f"{model.card.id}, {names[row]}\n{said} = {explained.score[row]:.3g}. "
            f"{TITLES[explained.method].capitalize()}."
        )
        return bars(labels, explained.values[row], inputs[row].ravel(), title)

    shape = inputs.shape[1:]
    return Explainable(
        function=function,
        inputs=inputs,
        names=names,
        target=said,
        truth=model.card.truth,
        baselines=np.zeros((1, *inputs.shape), np.float32),
        baseline="the average event",
        fill=0.0,
        groups=np.arange(inputs[0].size).reshape(shape),
        reduce=lambda values: values.reshape(len(values), -1),
        spread=lambda each: each,
        draw=draw,
        arrays={"labels": np.array(labels)},
    )


def bars(labels: list[str], values: np.ndarray, inputs: np.ndarray, title: str) -> Figure:
    """Attribution of each feature, with its value in standard deviations beside its name."""
    figure = canvas(6.4, 1.1 + 0.28 * len(labels), title)
    axes: Any = figure.add_subplot()
    place = np.arange(len(labels))[::-1]
    axes.barh(place, values, color=np.where(values < 0, "#3b6fb6", "#c8352b"), height=0.7)
    axes.set_yticks(
        place,
        [f"{label} ({value:+.1f} s.d.)" for label, value in zip(labels, inputs, strict=True)],
        fontsize=8,
    )
    axes.axvline(0.0, color="black", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("attribution", fontsize=8)
    axes.tick_params(axis="x", labelsize=7)
    return figure
