"""How a network of GUE is explained: the logit of the positive class of one subset, at the bases
that the subset's network reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.genomics.gue.predict import GueClassifier
from zoo.genomics.models.sequence_encoder import REDUCTION, SequenceEncoder
from zoo.genomics.models.sequence_score import SequenceScore, attention_of, encoder_inputs, score_of
from zoo.interfaces.explanation import NotExplainable
from zoo.interfaces.task import load_task

if TYPE_CHECKING:
    from zoo.genomics.data import LabelledSequences
    from zoo.pretrained.model import PretrainedModel


def sequence_score(
    model: PretrainedModel, table: LabelledSequences | None, *, examples: int, target: str | None
) -> SequenceScore:
    """The score of a model of GUE.

    Args:
        model: the pretrained model; of several members the first is explained.
        table: the user's sequences; None: the first test sequences of a subset.
        examples: how many of those.
        target: subset; None: the first whose length fits.

    Raises:
        NotExplainable: an unknown subset, or sequences of a length that none reads.
    """
    tokens, names = _sequences(model, table, examples, target)
    predictor = model.predict
    if isinstance(predictor, GueClassifier):
        subset = target or _fitting(predictor, tokens.shape[1])
        try:
            tokens = predictor.read(tokens, subset)
        except ValueError as error:
            raise NotExplainable(str(error)) from error
        lengths = predictor.lengths
    else:
        lengths = model.card.predictor_config["lengths"]
        fitting = [name for name, length in lengths.items() if length == tokens.shape[1]]
        subset = target or next(iter(fitting), next(iter(lengths)))
        if subset not in lengths:
            raise NotExplainable(f"no target {subset!r}; {model.card.id} has {', '.join(lengths)}")
    network, words = model.module().networks[subset], f"logit of positive ({subset})"
    if not isinstance(network, SequenceEncoder):
        return SequenceScore(score_of(network), words, tokens, names, lengths[subset])
    graph, state = nnx.split(network)
    known = np.arange(REDUCTION * network.config.head_tokens) < tokens.shape[1]

    def function(x: jax.Array) -> jax.Array:
        there = jnp.broadcast_to(known, (len(x), len(known)))
        return nnx.merge(graph, state).head(encoder_inputs(x, len(known)), there)[:, 0]

    return SequenceScore(
        function,
        "logit of positive",
        tokens,
        names,
        lengths[subset],
        attention=lambda: attention_of(nnx.merge(graph, state), tokens, known),
    )


def _sequences(
    model: PretrainedModel, table: LabelledSequences | None, examples: int, target: str | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The user's tokens and names, or those of the first test sequences of `target` (of the
    first subset)."""
    if table is not None:
        return table.tokens, table.ids
    every = load_task(model.card.tasks[0]).examples()
    by_subset = dict(every.inputs.by_subset())
    rows = by_subset.get(target, next(iter(by_subset.values())))[:examples]
    return every.inputs.of(rows), tuple(every.ids[row] for row in rows)


def _fitting(predictor: GueClassifier, length: int) -> str:
    """The first subset whose network reads sequences of this length, else the first."""
    fitting = [
        name
        for name, own in predictor.lengths.items()
        if length == own or (name in predictor.crop and length >= predictor.crop[name] + own)
    ]
    return next(iter(fitting), predictor.subsets[0])
