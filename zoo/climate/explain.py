"""How climate's models are explained: by the family that they belong to.

Weather models: `zoo.climate.held_suarez.explain`; ENSO models: `zoo.climate.enso.explain`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo.climate.enso.explain import SEASON, explain_season
from zoo.climate.enso.predict import EnsoModel
from zoo.climate.held_suarez.explain import POINT, explain_point
from zoo.climate.held_suarez.predict import WeatherModel
from zoo.interfaces.explanation import Explainable, NotExplainable

if TYPE_CHECKING:
    from zoo.pretrained.model import PretrainedModel


def explainable(
    model: PretrainedModel, source: Path | None, *, examples: int, target: str | None
) -> Explainable:
    """A model of the domain with states to explain.

    Args:
        model: the pretrained model.
        source: NetCDF or Zarr with the state, for weather models; None: start dates of the
            model's own task.
        examples: how many.
        target: `VARIABLE_LEVEL@LATITUDE,LONGITUDE` for weather models, `k0`..`k8` for ENSO models.

    Raises:
        NotExplainable: a target that means nothing, or a file for a model that takes none.
    """
    if isinstance(model.predict, WeatherModel):
        return explain_point(model, source, examples, target or POINT)
    if isinstance(model.predict, EnsoModel):
        return explain_season(model, source, examples, target or SEASON)
    raise NotExplainable(
        f"{model.card.id} is neither a weather nor an ENSO model that this domain can explain"
    )
