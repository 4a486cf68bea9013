"""How jet taggers are explained: each particle by its attribution, in the plane around the jet's
axis.

A tagger's score is the log-odds of one class. Gradients go by the standardised features of
the particles with their four-momenta held; the baseline of integrated gradients is the
average particle (standardised features of zero) in the same places. Occlusion and the
surrogate take whole particles away.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

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
from zoo.particle_physics.models.features import COLUMNS, FEATURE_SETS, network_inputs
from zoo.particle_physics.models.particle_transformer import ABSENT, ParticleTransformer
from zoo.particle_physics.tagging.predict import JetTagger

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from zoo.particle_physics.data.jets import Jets
    from zoo.pretrained.model import PretrainedModel

REACH = 0.85
"""Half the width of a jet display, in rad: a little more than the largest radius, 0.8."""


def explain_tagger(
    model: PretrainedModel,
    tagger: JetTagger,
    source: Path | None,
    examples: int,
    target: str | None,
) -> Explainable:
    """A tagger with jets to explain; arguments as `zoo.particle_physics.explain.explainable`.

    Raises:
        NotExplainable: an unknown class.
    """
    chosen = target or tagger.classes[-1]
    if chosen not in tagger.classes:
        raise NotExplainable(
            f"no class {chosen!r}; {model.card.id} tells {', '.join(tagger.classes)} apart"
        )
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
    average = inputs.copy()
    average[..., :width] = 0.0
    pt = np.hypot(vectors[..., 0], vectors[..., 1])
    deta, dphi = jets.column("part_deta"), jets.column("part_dphi")

    def draw(row: int, explained: Explained) -> Figure:
        said = f"log-odds of {chosen} = {explained.score[row]:.3g}"
        title = f"{model.card.id}, {names[row]}\n{said}. {TITLES[explained.method].capitalize()}."
        there = jets.mask[row]
        if explained.method == "attention":
            return attention_figure(
                _present_only(explained, int(there.sum())), row, title, places="particles by pT"
            )
        return display(
            deta[row][there], dphi[row][there], pt[row][there], explained.values[row][there], title
        )

    network = tagger.models[0]
    attention = (
        functools.partial(attention_weights, network, features, vectors, jets.mask)
        if isinstance(network, ParticleTransformer)
        else None
    )
    return Explainable(
        function=_log_odds(tagger, tagger.classes.index(chosen), width),
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
        attention=attention,
        arrays={"pt": pt, "deta": deta, "dphi": dphi, "mask": jets.mask},
    )


def _log_odds(tagger: JetTagger, number: int, width: int) -> Callable[[jax.Array], jax.Array]:
    """Log-odds `[jet]` of one class against all others, averaged over the members, of inputs
    `[jet, particle, width + 5]`: features, four-momentum, presence."""
    split = [nnx.split(each) for each in tagger.models]

    def function(x: jax.Array) -> jax.Array:
        there = x[..., -1] > 0.5
        part = jnp.where(there[..., None], x, 0.0)
        total = jnp.zeros(len(x))
        for graph, state in split:
            log = jax.nn.log_softmax(
                nnx.merge(graph, state)(part[..., :width], part[..., width:-1], there), axis=-1
            )
            others = jnp.delete(log, number, axis=-1, assume_unique_indices=True)
            total = total + log[:, number] - jax.nn.logsumexp(others, axis=-1)
        return total / len(split)

    return function


def _present_only(explained: Explained, n: int) -> Explained:
    """Attention maps without the padding of a jet of `n` particles."""
    maps = {
        layer: value[:, :, : n if value.shape[2] > 1 else 1, :n]
        for layer, value in explained.maps.items()
    }
    return Explained("attention", explained.values, explained.score, maps=maps)


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
    circles = axes.scatter(
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
    bar = figure.colorbar(circles, ax=axes, shrink=0.85)
    bar.set_label("attribution" if signed else "size of attribution", fontsize=8)
    return figure
