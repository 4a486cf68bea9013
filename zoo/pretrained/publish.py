"""From runs to pretrained models: weights under their published names, and the card that pins them.

    zoo publish runs/enso_mlp.core.seed0 runs/enso_mlp.core.seed1 runs/enso_mlp.core.seed2

The seeds of one recipe become one model: the lowest seed's weights are the model (or, of an
ensemble, all of them), the others its seeds. What the card says is what the recipe wrote into
`run.toml`; what it measured (parameters, hashes, an expected output) is added here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import files, registry
from zoo.cards import Layout, ModelCard, Run, parse

WEIGHTS = "model.safetensors"
"""Of a run, beside its `run.toml`."""
EXPECTED_SEED = 0
EXPECTED_VALUES = 16


def publish(
    folder: Path,
    content: Mapping[str, Any],
    weights: Mapping[int, Path],
    *,
    dtype: str | None = "float16",
    stem: str | None = None,
    layout: Layout | None = None,
) -> Path:
    """Copies weights and writes `<architecture>.<tag>.toml`.

    Args:
        folder: `zoo/<domain>/weights`, or a run's own folder.
        content: a `zoo.cards.ModelDescription`'s content.
        weights: training seed -> safetensors file; the first is the model.
        dtype: storage type of the parameters (transforms keep theirs). Half precision moves
            a forecast by less than 1e-3 of its error.
        stem: file name of the weights where another card already stores them (a variant of
            the same weights).
        layout: what the seeds share and store once, and what is stacked.

    Raises:
        zoo.cards.CardError: the card would not follow its schema; nothing is written then
            but the weights.
        zoo.pretrained.weights.WeightsError: what should be shared is not equal in all seeds.
        ValueError: nothing has a name that begins as `layout.shared` says, or the shared file
            is there with another content.
    """
    from zoo.pretrained.weights import load, save, shared_file
    from zoo.scoring import cost

    name = content["id"].split("/")[1]
    entries: list[dict[str, Any]] = []
    n_params = 0
    layout, shared = layout or Layout(), None
    if stem is None and layout.shared and (len(weights) > 1 or layout.shared_file):
        shared = folder / (layout.shared_file or f"{name}.shared.safetensors")
        _store_shared(shared, next(iter(weights.values())), layout, dtype)
    for number, (seed, source) in enumerate(weights.items()):
        target = folder / f"{stem or name}{'' if number == 0 else f'.seed{seed}'}.safetensors"
        parameters, transforms, metadata = load(source)
        n_params = cost.count_parameters(parameters)
        if stem is None:
            save(
                target,
                parameters,
                transforms=transforms,
                metadata=metadata,
                dtype=dtype,
                shared=shared,
                stacked=layout.stacked,
            )
        entries.append(_stored(target) | {"seed": seed})
    members = len(entries) if content.get("ensemble") else 1
    card = dict(content) | {"schema_version": 1, "n_params": n_params * members, "weights": entries}
    if used := {shared_file(folder / each["file"]) for each in entries} - {None}:
        card["shared"] = [_stored(each) for each in sorted(filter(None, used))]
    path = folder / f"{name}.toml"
    checked = parse(card, ModelCard, where=str(path))
    card["expected"] = expected_output(checked, [folder / each["file"] for each in entries])
    parse(card, ModelCard, where=str(path))
    files.write_text(path, to_toml(card))
    return path


def _stored(path: Path) -> dict[str, Any]:
    """What a card says of a file beside it."""
    return {"file": path.name, "sha256": files.sha256(path), "bytes": path.stat().st_size}


def _store_shared(target: Path, source: Path, layout: Layout, dtype: str | None) -> None:
    """Writes what all seeds have in common, taken from one of them."""
    from zoo.pretrained.weights import TRANSFORMS, load, save

    parameters, transforms, _ = load(source)
    beginnings = tuple(layout.shared)
    parameters = {name: one for name, one in parameters.items() if name.startswith(beginnings)}
    transforms = {
        name: one
        for name, one in transforms.items()
        if f"{TRANSFORMS}{name}".startswith(beginnings)
    }
    if not parameters and not transforms:
        raise ValueError(
            f"layout.shared = {layout.shared}: no tensor of {source} has a name that begins so"
        )
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / target.name
        save(made, parameters, transforms=transforms, dtype=dtype)
        if layout.shared_file and target.is_file() and files.sha256(target) != files.sha256(made):
            raise ValueError(
                f"{target} holds something else, and other models may need it: name another "
                "layout.shared_file"
            )
        files.copy(made, target)


def expected_output(card: ModelCard, paths: Sequence[Path]) -> dict[str, Any]:
    """A card's `expected`: values from all over the output for made-up inputs, so that a
    mistake in any part of it shows.

    Args:
        card: the model's, with or without an `expected`.
        paths: its weight files.
    """
    predictor = registry.resolve(card.predictor)(card, paths if card.ensemble else paths[:1])
    output = predictor.example_output(EXPECTED_SEED)
    chosen = output.ravel()[:: max(1, output.size // EXPECTED_VALUES)][:EXPECTED_VALUES]
    return {
        "input_seed": EXPECTED_SEED,
        "shape": list(output.shape),
        "values": [round(float(value), 6) for value in chosen],
    }


def publish_runs(runs: Mapping[Path, Run], folder: Path | None = None) -> Iterator[Path]:
    """Publishes finished runs: the seeds of one recipe as one model; yields the cards' paths.

    Args:
        runs: by folder, as `zoo.pretrained.run.find_runs` gives them.
        folder: where to; None: the weights of the run's own domain in this checkout.

    Raises:
        ValueError: a run that died, two runs of one seed, or seeds that differ in more than
            the seed; says which and what to do.
    """
    groups: dict[tuple[str, str], dict[int, tuple[Path, Run]]] = {}
    for path, run in runs.items():
        if run.died is not None:
            raise ValueError(
                f"{path}: this run died ({run.died}) and is not published; leave it out"
            )
        seeds = groups.setdefault((run.task, run.recipe), {})
        if run.seed in seeds:
            raise ValueError(
                f"{path} and {seeds[run.seed][0]} are both seed {run.seed} of {run.recipe}; give "
                "one"
            )
        seeds[run.seed] = (path, run)
    for (task, _), seeds in groups.items():
        ordered = [seeds[seed] for seed in sorted(seeds)]
        target = folder or registry.PACKAGE / task.split("/")[0] / "weights"
        yield from _publish_seeds(ordered, target)


def _publish_seeds(ordered: Sequence[tuple[Path, Run]], folder: Path) -> Iterator[Path]:
    """One recipe's seeds, lowest first, as one model and its variants, of which the ensemble
    only where there are several."""
    first_path, first = ordered[0]
    weights = {run.seed: path / WEIGHTS for path, run in ordered}
    stem = None
    for number, model in enumerate(first.model):
        for path, run in ordered[1:]:
            other = run.model[number] if number < len(run.model) else None
            if other is None or (other.id, other.config, run.layout) != (
                model.id,
                model.config,
                first.layout,
            ):
                raise ValueError(
                    f"{path} and {first_path} are not seeds of one model: they differ in name, "
                    "config or layout; publish them apart"
                )
        if number and model.ensemble and len(ordered) == 1:
            continue  # the mean of one is that one
        content = model.model_dump(mode="json", exclude_none=True)
        content["training"]["validation"] |= {
            f"{name}_seed{run.seed}": value
            for _, run in ordered[1:]
            for name, value in run.model[number].training.validation.items()
        }
        times = [run.model[number].training.wall_seconds for _, run in ordered]
        known = [seconds for seconds in times if seconds is not None]
        if len(known) == len(times):
            content["training"]["wall_seconds"] = round(sum(known), 1)
        if len(ordered) > 1:
            seeds = ", ".join(str(run.seed) for _, run in ordered[1:])
            content["training"]["command"] += f" (and --seed {seeds})"
        dtype = None if first.storage == "float32" else first.storage
        yield publish(folder, content, weights, dtype=dtype, stem=stem, layout=first.layout)
        stem = stem or model.id.split("/")[1]


def to_toml(content: Mapping[str, Any]) -> str:
    """A card as TOML text."""
    import tomli_w

    return tomli_w.dumps(
        {key: value for key, value in content.items() if value is not None}, multiline_strings=True
    )
