"""From runs to pretrained models: weights under their published names, and the card that pins them.

    zoo publish runs/enso_mlp.core.seed0 runs/enso_mlp.core.seed1 runs/enso_mlp.core.seed2

The seeds of one recipe become one model: the lowest seed's weights are the model (or, of an
ensemble, all of them), the others its seeds. What the card says is what the recipe wrote into
`run.toml`; what it measured (parameters, hashes, an expected output) is added here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import files, registry
from zoo.cards import ModelCard, Run, parse

EXPECTED_SEED = 0
EXPECTED_VALUES = 16


def publish(
    folder: Path,
    content: Mapping[str, Any],
    weights: Mapping[int, Path],
    *,
    dtype: str | None = "float16",
    stem: str | None = None,
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

    Raises:
        zoo.cards.CardError: the card would not follow its schema; nothing is written then
            but the weights.
    """
    from zoo.pretrained.weights import load, save
    from zoo.scoring import cost

    name = content["id"].split("/")[1]
    entries: list[dict[str, Any]] = []
    n_params = 0
    for number, (seed, source) in enumerate(weights.items()):
        target = folder / f"{stem or name}{'' if number == 0 else f'.seed{seed}'}.safetensors"
        parameters, transforms, metadata = load(source)
        n_params = cost.count_parameters(parameters)
        if stem is None:
            save(target, parameters, transforms=transforms, metadata=metadata, dtype=dtype)
        entries.append(
            {
                "file": target.name,
                "sha256": files.sha256(target),
                "bytes": target.stat().st_size,
                "seed": seed,
            }
        )
    members = len(entries) if content.get("ensemble") else 1
    card = dict(content) | {"schema_version": 1, "n_params": n_params * members, "weights": entries}
    path = folder / f"{name}.toml"
    checked = parse(card, ModelCard, where=str(path))
    card["expected"] = expected_output(checked, [folder / each["file"] for each in entries])
    parse(card, ModelCard, where=str(path))
    files.write_text(path, to_toml(card))
    return path


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
    from zoo.pretrained.run import WEIGHTS

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
        yield from _publish_seeds(ordered, target, WEIGHTS)


def _publish_seeds(ordered: Sequence[tuple[Path, Run]], folder: Path, name: str) -> Iterator[Path]:
    """One recipe's seeds, lowest first, as one model and its variants, of which the ensemble
    only where there are several."""
    first_path, first = ordered[0]
    weights = {run.seed: path / name for path, run in ordered}
    stem = None
    for number, model in enumerate(first.model):
        for path, run in ordered[1:]:
            other = run.model[number] if number < len(run.model) else None
            if other is None or (other.id, other.config) != (model.id, model.config):
                raise ValueError(
                    f"{path} and {first_path} are not seeds of one model: they differ in name or "
                    "config; publish them apart"
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
        yield publish(folder, content, weights, dtype=dtype, stem=stem)
        stem = stem or model.id.split("/")[1]


def to_toml(content: Mapping[str, Any]) -> str:
    """A card as TOML text."""
    import tomli_w

    return tomli_w.dumps(
        {key: value for key, value in content.items() if value is not None}, multiline_strings=True
    )
