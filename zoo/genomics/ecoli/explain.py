"""How the encoders of the E. coli tasks are explained: of a masked-language model the
log-probability of the middle base when it is hidden, of a gene labeller the mean log-odds of
"coding"."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.genomics.data.sequences import UNKNOWN
from zoo.genomics.models.gene_labeller import GeneLabeller
from zoo.genomics.models.sequence_encoder import REDUCTION, SequenceEncoder
from zoo.genomics.models.sequence_score import SequenceScore, attention_of, encoder_inputs
from zoo.interfaces.explanation import NotExplainable
from zoo.interfaces.task import load_task

if TYPE_CHECKING:
    from zoo.genomics.data import LabelledSequences
    from zoo.pretrained.model import PretrainedModel

STRANDS = ("forward", "reverse")


def sequence_score(
    model: PretrainedModel, table: LabelledSequences | None, *, examples: int, target: str | None
) -> SequenceScore:
    """The score of a language model or of a gene labeller.

    Args:
        model: the pretrained model.
        table: the user's sequences; None: the first windows of the test arc.
        examples: how many of those.
        target: "0" or "1": the strand, of a gene labeller.

    Raises:
        NotExplainable: an unknown target, or a network that is no encoder.
    """
    if table is None:
        every = load_task(model.card.tasks[0]).examples()
        tokens = np.minimum(every.inputs[:examples], UNKNOWN).astype(np.int8)
        names = tuple(every.ids[:examples])
    else:
        tokens, names = table.tokens, table.ids
    module = model.module()
    labels = isinstance(module, GeneLabeller)
    if not labels and not isinstance(module, SequenceEncoder):
        raise NotExplainable(
            f"{model.card.id} ({type(module).__name__}) cannot be explained; of these tasks "
            "sequence encoders can"
        )
    outputs = len(STRANDS) if labels else 1
    number = 0 if target is None else int(target) if target.isdigit() else -1
    if not 0 <= number < outputs:
        raise NotExplainable(f"no target {target!r}; {model.card.id} has outputs 0..{outputs - 1}")
    length = tokens.shape[1]
    known = np.arange(length + -length % REDUCTION) < length
    graph, state = nnx.split(module)
    if labels:
        return SequenceScore(
            _coding(lambda: nnx.merge(graph, state).encoder, known, 1 + number),
            f"mean log-odds of coding on the {STRANDS[number]} strand",
            tokens,
            names,
            attention=lambda: attention_of(nnx.merge(graph, state).encoder, tokens, known),
        )
    return SequenceScore(
        _middle(lambda: nnx.merge(graph, state), known),
        "log-probability of the hidden middle base",
        tokens,
        names,
        attention=lambda: attention_of(nnx.merge(graph, state), tokens, known, length // 2),
    )


def _coding(
    encoder: Callable[[], Any], known: np.ndarray, label: int
) -> Callable[[jax.Array], jax.Array]:
    """Mean log-odds of a label against non-coding."""

    def function(x: jax.Array) -> jax.Array:
        log = _log_probability(encoder(), encoder_inputs(x, len(known)), known)[:, : x.shape[1]]
        return (log[..., label] - log[..., 0]).mean(1)

    return function


def _middle(encoder: Callable[[], Any], known: np.ndarray) -> Callable[[jax.Array], jax.Array]:
    """Log-probability of the middle base, which the network is not shown."""

    def function(x: jax.Array) -> jax.Array:
        middle = x.shape[1] // 2
        inputs = encoder_inputs(x, len(known), hidden=middle)
        log = _log_probability(encoder(), inputs, known)
        return (log[:, middle] * x[:, middle]).sum(-1)

    return function


def _log_probability(encoder: Any, inputs: jax.Array, known: np.ndarray) -> jax.Array:
    there = jnp.broadcast_to(known, (len(inputs), len(known)))
    return jax.nn.log_softmax(encoder.decode(*encoder.encode(inputs, there)))
