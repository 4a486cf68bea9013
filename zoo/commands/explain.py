"""`zoo explain`: why a model says what it says, as figures and numbers, for every model of the zoo.

    explain("genomics/cnn_dist.exponential", methods=("ism",), out=Path("why"))

What the domain names as `explainable` turns model and input into an `Explainable`; the methods
are `zoo.attribution`'s. Written are one figure an example and method, `explanation.json`
(what was explained, by which weights, scores, completeness errors) and
`explanation.zarr.zip` (the attributions themselves).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import attribution, files, registry
from zoo.interfaces.domain import domain_of
from zoo.interfaces.explanation import (
    GRADIENTS,
    METHODS,
    TITLES,
    Explainable,
    Explained,
    NotExplainable,
    save,
)
from zoo.scoring import record

__all__ = ["explain", "run"]

FORMATS = ("png", "svg")
STEPS = 64
"""Points of integrated gradients on each line."""
COMPLETE = 0.01
"""Completeness error from which the report says that the steps did not suffice."""
FIT = 0.5
"""R2 of the surrogate below which the report says not to trust it."""


def explain(
    model: str,
    source: Path | None = None,
    *,
    methods: Sequence[str] = (),
    out: Path,
    examples: int = 2,
    target: str | None = None,
    steps: int = STEPS,
    seed: int = 0,
    form: str = "png",
    log: Callable[[str], None] = print,
) -> list[Path]:
    """Explains a pretrained model's scores; returns the paths written.

    Args:
        model: id of a pretrained model.
        source: the user's file, in the form that `zoo predict` takes; None: examples of the
            model's own task.
        methods: of `zoo.interfaces.explanation.METHODS`; none: those that suit, without the
            dearest (`surrogate`).
        out: folder.
        examples: how many, the first ones.
        target: which output (a class, a lead, a grid point): the domain says what is legal.
        steps: of integrated gradients.
        seed: of noise and maskings.
        form: "png" or "svg".
        log: called with a line for each method and example.

    Raises:
        NotExplainable: this model has no score of an input, or the method does not suit it;
            says what does.
        zoo.registry.UnknownName: no such model.
    """
    from zoo.pretrained.model import load_model

    _check(methods, form, examples)
    registry.model(model)
    loaded = load_model(model)
    domain = domain_of(model)
    if domain.explainable is None:
        raise NotExplainable(f"the domain {domain.name!r} says nothing about explanations")
    adapter = registry.resolve(domain.explainable)
    made: Explainable = adapter(loaded, source, examples=examples, target=target)
    chosen = _suitable(methods, made, model)
    out.mkdir(parents=True, exist_ok=True)
    log(f"{model}: {made.target} ({made.truth} input)")
    arrays = {"inputs": made.inputs, "names": np.array(made.names)} | dict(made.arrays)
    paths, report = [], []
    for method in chosen:
        found = run(made, method, steps=steps, seed=seed)
        maps = {f"{method}.{layer}": value for layer, value in found.maps.items()}
        arrays |= maps or {method: found.values}
        for row, name in enumerate(made.names):
            notes = {key: float(value[row]) for key, value in found.notes.items()}
            log(f"  {method:21s} {name}: score {found.score[row]:.4g}{_remarks(notes)}")
            report.append(
                {"method": method, "example": name, "score": float(found.score[row])} | notes
            )
            paths.append(save(made.draw(row, found), out / f"{name}.{method}.{form}"))
    weights = [weight.sha256 for weight in loaded.card.weights]
    content = {
        "model": model,
        "weights": weights[: len(weights) if loaded.card.ensemble else 1],
        "target": made.target,
        "truth": made.truth,
        "baseline": made.baseline,
        "steps": steps,
        "seed": seed,
        "explained": report,
    }
    record.write(out / "explanation.zarr.zip", arrays)
    files.write_text(out / "explanation.json", json.dumps(content, indent=1) + "\n")
    return [*paths, out / "explanation.json", out / "explanation.zarr.zip"]


def _check(methods: Sequence[str], form: str, examples: int) -> None:
    unknown = [method for method in methods if method not in METHODS]
    if unknown:
        raise NotExplainable(f"no method {unknown[0]!r}; there are {', '.join(METHODS)}")
    if form not in FORMATS:
        raise ValueError(f"format {form!r} is none of {', '.join(FORMATS)}")
    if examples < 1:
        raise ValueError(f"examples={examples}: one or more can be explained")


def _suitable(methods: Sequence[str], made: Explainable, model: str) -> tuple[str, ...]:
    """The methods that were asked for, if the model has them; by default those that it has,
    without the dearest."""
    chosen = tuple(methods) or tuple(method for method in made.methods() if method != "surrogate")
    unfit = [method for method in chosen if method not in made.methods()]
    if unfit:
        raise NotExplainable(
            f"{TITLES[unfit[0]]} does not suit {model}; these methods do: "
            f"{', '.join(made.methods())}"
        )
    return chosen


def _remarks(notes: dict[str, float]) -> str:
    """What follows the score in a line of the log."""
    values = "".join(f", {key.replace('_', ' ')} {value:.3g}" for key, value in notes.items())
    return values + _warning(notes)


def _warning(notes: dict[str, float]) -> str:
    if notes.get("completeness_error", 0.0) > COMPLETE:
        return f"  (above {100 * COMPLETE:g} %: more --steps, or a score that jumps on the way)"
    if notes.get("r2", 1.0) < FIT:
        return "  (a linear model does not fit here: do not trust it)"
    return ""


def run(made: Explainable, method: str, *, steps: int = STEPS, seed: int = 0) -> Explained:
    """One method on all examples of an `Explainable`."""
    function, inputs, batch = made.function, made.inputs, made.batch
    score = attribution.scores(function, inputs, batch=batch)
    if method == "attention":
        assert made.attention is not None
        maps = made.attention()
        return Explained(method, next(iter(maps.values())).mean(1), score, maps=maps)
    if method in GRADIENTS:
        values, notes = _gradient(made, method, steps=steps, seed=seed)
        if made.letters is not None:
            return Explained(method, made.reduce(values), score, letters=values, notes=notes)
        # a gradient's sum over unlike inputs means nothing, its length does
        sensitivity = method in ("saliency", "smooth_grad")
        drawn = np.sqrt(made.reduce(values**2)) if sensitivity else made.reduce(values)
        return Explained(method, drawn, score, notes=notes)
    if method == "ism":
        gains = (
            made.mutagenesis()
            if made.mutagenesis is not None
            else attribution.in_silico_mutagenesis(function, inputs)
        )
        # What the letter that is there is worth: minus the mean gain of the others.
        worth = np.where(inputs > 0, -gains.sum(-1, keepdims=True) / 3, 0.0)
        return Explained(method, attribution.l2_of_mutations(gains), score, letters=worth)
    number = int(made.groups.max()) + 1
    if method == "occlusion":
        regions = made.groups == np.arange(number).reshape(-1, *[1] * made.groups.ndim)
        lost = attribution.occlusion(function, inputs, regions, value=made.fill, batch=batch)
        return Explained(method, made.spread(lost), score)
    samples = max(1000, 4 * number)
    found = attribution.surrogate(
        function, inputs, made.groups, value=made.fill, samples=samples, seed=seed, batch=batch
    )
    return Explained(method, made.spread(found.weights), score, notes={"r2": found.r2})


def _gradient(
    made: Explainable, method: str, *, steps: int, seed: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """Attributions `[n, ...]` of a gradient method, and its notes."""
    function, inputs, batch = made.function, made.inputs, made.batch
    if method == "integrated_gradients":
        found = attribution.integrated_gradients(
            function, inputs, made.baselines, steps=steps, batch=batch
        )
        values = (
            attribution.centred(found.gradient, axis=made.letters) * inputs
            if made.letters is not None
            else found.values
        )
        return values, {"completeness_error": found.completeness_error}
    if method == "gradient_x_input":
        return attribution.gradient_x_input(function, inputs, letters=made.letters, batch=batch), {}
    if method == "saliency":
        gradient = attribution.saliency(function, inputs, batch=batch)
    else:
        gradient = attribution.smooth_grad(function, inputs, seed=seed, batch=batch)
    # Of a gradient alone, letters are shown by the one that is there.
    return (gradient * inputs if made.letters is not None else gradient), {}
