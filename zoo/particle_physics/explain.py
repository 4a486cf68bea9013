"""How networks over jets are explained: taggers by their particles (`tagging.explain`), searches
by their few features (`anomaly.explain`). A generator gives no score of an input."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo.interfaces.explanation import Explainable, NotExplainable
from zoo.particle_physics.anomaly.explain import explain_search
from zoo.particle_physics.anomaly.predict import AnomalyModel
from zoo.particle_physics.tagging.explain import explain_tagger
from zoo.particle_physics.tagging.predict import JetTagger

if TYPE_CHECKING:
    from zoo.pretrained.model import PretrainedModel


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
        return explain_tagger(model, predictor, source, examples, target)
    if isinstance(predictor, AnomalyModel):
        return explain_search(model, predictor, source, examples, target)
    raise NotExplainable(
        f"{model.card.id} generates jets: it gives no score of an input that could be explained"
    )
