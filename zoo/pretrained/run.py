"""What one training left: a folder with `run.toml`, the weights beside it, and cards that load.

    run.toml             which task, recipe and seed; what was reached; what the models' cards say
    model.safetensors    parameters and the transforms that their inputs need
    <architecture>.<tag>.toml    a model card: `zoo predict FOLDER ...` and `zoo.load_model(FOLDER)`
    history.jsonl        losses and validation scores by step, where the recipe keeps them

Every recipe ends in `write_run`; `zoo publish RUNS` gathers the seeds of one recipe into the
cards of `zoo/<domain>/weights` (`zoo.pretrained.publish`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zoo import cards, files
from zoo.cards import ModelDescription, Run
from zoo.pretrained.model import RUN
from zoo.pretrained.publish import WEIGHTS, publish, to_toml
from zoo.pretrained.weights import save

if TYPE_CHECKING:
    from flax import nnx


def write_run(
    folder: Path,
    model: nnx.Module | Mapping[str, np.ndarray],
    descriptions: Sequence[Mapping[str, Any]],
    *,
    task: str,
    recipe: str,
    seed: int,
    transforms: Mapping[str, np.ndarray] | None = None,
    storage: Literal["float16", "bfloat16", "float32"] = "float16",
    layout: Mapping[str, Any] | None = None,
    died: str | None = None,
) -> Path:
    """Writes weights, `run.toml` and loadable cards into a folder; returns the first card's path.

    Args:
        folder: made where it is missing.
        model: the trained module, or its parameters by dotted name.
        descriptions: the content of a `zoo.cards.ModelDescription` for the model and for each of
            its variants on the same weights.
        task, recipe, seed: as in `zoo train TASK RECIPE --seed SEED`.
        transforms: arrays that belong to the weights (means, scales), in their own precision.
        storage: how `zoo publish` stores the parameters; here they keep full precision.
        layout: content of a `zoo.cards.Layout`: how `zoo publish` lays the seeds into files, e.g.
            `{"shared": ["backbone."]}` for what all seeds have in common.
        died: why the training failed; such a run is kept and not published.

    Raises:
        zoo.cards.CardError: a description that does not follow its schema; only weights are
            written then.

    Example:
        >>> write_run(out, net, [described], task="climate/enso", recipe="enso_mlp.core", seed=0)
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / WEIGHTS
    save(weights, model, transforms=transforms, metadata={"recipe": recipe, "seed": seed})
    content = {
        "schema_version": 1,
        "task": task,
        "recipe": recipe,
        "seed": seed,
        "weights_sha256": files.sha256(weights),
        "storage": storage,
        "layout": layout,
        "died": died,
        "model": [dict(each) for each in descriptions],
    }
    run = cards.parse(content, Run, where=str(folder / RUN))
    files.write_text(
        folder / RUN, to_toml(run.model_dump(mode="json", exclude_none=True, exclude_defaults=True))
    )
    paths = [
        publish(folder, described(each), {seed: weights}, dtype=None, stem=weights.stem)
        for each in run.model
    ]
    return paths[0]


def described(model: ModelDescription) -> dict[str, Any]:
    """The content that a model card shares with a run's description of it."""
    return model.model_dump(mode="json", exclude_none=True)


def read_run(folder: Path) -> Run:
    """The run in a folder, its weights verified.

    Raises:
        FileNotFoundError: there is no `run.toml`, or no weights beside it.
        zoo.cards.CardError: it does not follow its schema.
        zoo.files.FileAltered: the weights are not those that were written.
    """
    path = folder / RUN
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no {RUN}: no finished run (`zoo train TASK RECIPE --out FOLDER`)"
        )
    run = cards.read(path, Run)
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise FileNotFoundError(f"{weights} does not exist; {path} needs it")
    if (found := files.sha256(weights)) != run.weights_sha256:
        raise files.FileAltered(
            f"{weights} has SHA-256 {found}, {path} says {run.weights_sha256}: train again"
        )
    return run


def find_runs(paths: Sequence[Path]) -> dict[Path, Run]:
    """The finished runs among some folders, and one level below them, by folder.

    Raises:
        FileNotFoundError: a path without any run.
    """
    found: dict[Path, Run] = {}
    for path in paths:
        inside = [path, *sorted(each for each in path.glob("*") if each.is_dir())]
        here = {each: read_run(each) for each in inside if (each / RUN).is_file()}
        if not here:
            raise FileNotFoundError(
                f"{path} holds no finished run ({RUN}), nor do the folders in it"
            )
        found |= here
    return found
