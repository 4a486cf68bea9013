"""Writes a pretrained model into a weights folder: safetensors under their published names,
and the card that pins them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zoo import files, registry
from zoo.cards import ModelCard, parse

PROBE_SEED = 0
PROBE_VALUES = 16


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
        folder: `zoo/<domain>/weights`.
        content: the card without `weights` and `n_params`, which are measured here.
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
    entries, n_params = [], 0
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
    paths = [folder / weight["file"] for weight in entries]
    output = registry.resolve(checked.predictor)(
        checked, paths if checked.ensemble else paths[:1]
    ).probe(PROBE_SEED)
    # Values from all over the output, so that a mistake in any part of it shows.
    chosen = output.ravel()[:: max(1, output.size // PROBE_VALUES)][:PROBE_VALUES]
    card["expected"] = {
        "input_seed": PROBE_SEED,
        "shape": list(output.shape),
        "values": [round(float(value), 6) for value in chosen],
    }
    parse(card, ModelCard, where=str(path))
    files.write_text(path, to_toml(card))
    return path


def publish_runs(
    runs: Path,
    folder: Path,
    about: Mapping[str, Any],
    card: Callable[[str, Any, dict[str, Any]], dict[str, Any]],
    *,
    dtype: str | None = "float16",
) -> None:
    """Publishes every tag of `about` that has a finished run, `<tag>.json` beside
    `<tag>.seed<k>.safetensors`; says what it did.

    Args:
        runs: folder of the runs.
        folder: `zoo/<domain>/weights`.
        about: tag -> what its card says of it.
        card: `(tag, about, facts of the run) -> content`.
        dtype: as in `publish`.
    """
    for name, said in about.items():
        path = runs / f"{name}.json"
        if not path.is_file():
            print(f"{name}: no finished run in {runs}")
            continue
        facts = json.loads(path.read_text(encoding="utf-8"))
        weights = {seed: runs / f"{name}.seed{seed}.safetensors" for seed in facts["seeds"]}
        print(publish(folder, card(name, said, facts), weights, dtype=dtype))


def to_toml(content: Mapping[str, Any]) -> str:
    """A card as TOML text; needs `tomli-w`, which the extra `dev` brings."""
    try:
        import tomli_w
    except ImportError as error:
        raise ImportError('writing cards needs tomli-w: pip install "scizoo[dev]"') from error
    return tomli_w.dumps(
        {key: value for key, value in content.items() if value is not None}, multiline_strings=True
    )
