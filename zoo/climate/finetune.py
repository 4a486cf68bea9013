"""Pretrained climate models trained on with states of one's own: the climate side of
`zoo train --from`, by the family that a model belongs to.

    zoo train --from climate/convnext.held_suarez my_states.zarr --out my_model
    zoo train --from climate/enso_mlp.core my_indices.nc --out my_model

The first takes fields in WeatherBench 2's layout (`zoo.climate.held_suarez.finetune`), the
second monthly Nino34, Nino3 (K), Hm, Hw (m) (`zoo.climate.enso.finetune`). The target is what
the network was pre-trained on (the state one step later; Niño3.4 in the next seasons), so its
last layer goes on and nothing is new but the data. Time decides the split.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.climate.enso.finetune import EnsoProblem
    from zoo.climate.held_suarez.finetune import WeatherProblem
    from zoo.pretrained.model import PretrainedModel

_MODELS = "zoo.climate.models"
WEATHER = (f"{_MODELS}.convnext:ConvNeXt", f"{_MODELS}.sfno:SFNO", f"{_MODELS}.conv_gru:ConvGRU")
ENSO = f"{_MODELS}.enso_mlp:EnsoMlp"
ARCHITECTURES = (*WEATHER, ENSO)
"""What can be trained on."""


def adapt(
    source: PretrainedModel,
    data: Path,
    *,
    validation: Path | None,
    label: str | None,
    group: str | None,
    network: str | None,
    seed: int,
) -> WeatherProblem | EnsoProblem:
    """The user's series and a pretrained model of its next states: a
    `zoo.interfaces.finetune.Problem`.

    Args:
        source: the pretrained model.
        data, validation: NetCDF or Zarr.
        label, group, network: mean nothing here.
        seed: of nothing here; time decides the split.

    Raises:
        ValueError: an option that means nothing, a model of other indices.
        zoo.climate.data.opening.UserDataError,
        zoo.climate.held_suarez.forecast.ForecastInputError: what the series lacks.
    """
    for option, value in (("label", label), ("group", group), ("network", network)):
        if value is not None:
            raise ValueError(
                f"{option}={value!r} means nothing to {source.card.id}: a series has no classes, "
                "and time decides its split"
            )
    if source.card.architecture == ENSO:
        from zoo.climate.enso.finetune import EnsoProblem

        return EnsoProblem(source, data, validation)
    from zoo.climate.held_suarez.finetune import WeatherProblem

    return WeatherProblem(source, data, validation)
