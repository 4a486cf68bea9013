"""How a network of planted motifs is explained: the logit of the positive class, beside what was
planted or where core motifs match."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo.genomics.data.sequences import UNKNOWN
from zoo.genomics.models.sequence_score import Places, SequenceScore
from zoo.genomics.motif_grammar.data import core_matrices, scan
from zoo.genomics.motif_grammar.predict import MotifModel
from zoo.interfaces.task import load_task

if TYPE_CHECKING:
    from zoo.genomics.data import LabelledSequences
    from zoo.pretrained.model import PretrainedModel

BITS = 9.0
"""Log-odds from which a match of a core matrix is marked."""


def sequence_score(
    model: PretrainedModel, table: LabelledSequences | None, *, examples: int, target: str | None
) -> SequenceScore:
    """The score of a motif network.

    Args:
        model: the pretrained model.
        table: the user's sequences; None: the first positives of the task's test split.
        examples: how many of those.
        target: means nothing here.
    """
    if table is None:
        every = load_task(model.card.tasks[0]).examples()
        rows = every.inputs.explained[:examples]
        chosen = every.targets[rows]
        tokens, names = chosen.tokens, tuple(every.ids[row] for row in rows)
        places, places_are = [chosen.instances(row) for row in range(len(chosen))], "planted"
    else:
        tokens, names = table.tokens, table.ids
        places = [matches(row) for row in tokens]
        places_are = f"matches of core motifs above {BITS:g} bits"
    predictor = model.predict
    assert isinstance(predictor, MotifModel)
    complete = bool((tokens < UNKNOWN).all())
    return SequenceScore(
        predictor.score,
        "logit of positive",
        tokens,
        names,
        predictor.length,
        gains=(lambda: predictor.gains(tokens)) if complete else None,
        places=places,
        places_are=places_are,
    )


def matches(tokens: np.ndarray) -> Places:
    """Where a core matrix matches a sequence `[position]` with `BITS` or more, the best first,
    without overlaps."""
    names, matrices = core_matrices()
    found = scan(tokens[None] % 4, matrices)[:, 0]
    places: Places = []
    for flat in np.argsort(-found, axis=None):
        number, start = np.unravel_index(flat, found.shape)
        if found[number, start] < BITS:
            break
        stop = int(start) + matrices[number].shape[1]
        if all(stop <= other[1] or start >= other[2] for other in places):
            places.append((names[number], int(start), stop))
    return places
