"""What can be benched on a task: its baselines, the models of the zoo and of plug-ins, and
somebody's own factory."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from zoo import registry
from zoo.cards import BaselineSpec, CodeSource, ModelCard, TaskSpec, WeightFile
from zoo.interfaces.predictor import Predictor
from zoo.interfaces.task import Task
from zoo.pretrained.model import load_model


@dataclasses.dataclass(frozen=True)
class NamedPredictor:
    """One row to be: something that predicts, and what is known about it."""

    id: str
    title: str
    kind: str
    track: str | None
    make: Callable[[], Predictor]
    n_params: int = 0
    weights: tuple[str, ...] = ()
    seeds: tuple[tuple[int, Callable[[], Predictor]], ...] = ()
    note: str | None = None
    publishable: bool = True
    code: CodeSource | None = None
    """Where its code comes from, for a row that is neither this package's nor a baseline of
    the task."""
    code_path: Path | None = None
    """The file of `code.file` as it was run."""


Candidate = tuple[str, Callable[[Task], NamedPredictor], list[str]]
"""(id, maker, names of data files that only it needs)"""


def predictors(spec: TaskSpec, pattern: str = "*") -> list[Candidate]:
    """The rows that a task can have, baselines first.

    Raises:
        zoo.registry.UnknownName: the pattern matches nothing.
    """
    found: list[Candidate] = []
    for baseline in spec.baseline:
        found.append((baseline.id, partial(_from_baseline, spec=baseline), baseline.needs))
    for name, card in registry.models().items():
        if spec.id in card.tasks:
            found.append((name, partial(_from_model, card), []))
    chosen = set(registry.matching(pattern, [name for name, _, _ in found]))
    if not chosen:
        near = registry.did_you_mean(pattern, [name for name, _, _ in found])
        raise registry.UnknownName(f"no model or baseline of {spec.id} matches {pattern!r}; {near}")
    return [item for item in found if item[0] in chosen]


def _from_baseline(task: Task, spec: BaselineSpec) -> NamedPredictor:
    return NamedPredictor(
        spec.id,
        spec.title,
        spec.kind,
        spec.track,
        lambda: task.baseline(spec),
        note=spec.note,
        publishable=spec.publishable,
    )


def _from_model(card: ModelCard, _task: Task) -> NamedPredictor:
    model = load_model(card.id)
    plugin = registry.plugin_of(card.id)
    each = tuple(
        (weight.seed, lambda seed=weight.seed: model.predictor(seed)) for weight in card.weights
    )
    return NamedPredictor(
        card.id,
        card.title,
        "model",
        card.track,
        model.predictor,
        n_params=card.n_params,
        weights=tuple(weight.sha256 for weight in card.weights),
        seeds=each if len(each) > 1 else (),
        code=package_source(plugin.distribution, plugin.package, card.weights) if plugin else None,
    )


def package_source(
    distribution: str,
    package: str,
    weights: Iterable[WeightFile] = (),
    *,
    factory: str | None = None,
) -> CodeSource:
    """What an entry says of an installed third-party package: name, version, address and
    the hash of its Python files.

    Raises:
        importlib.metadata.PackageNotFoundError: it is not installed.
    """
    about = importlib.metadata.metadata(distribution)
    listed = [line.partition(",")[2].strip() for line in about.get_all("Project-URL") or []]
    return CodeSource(
        factory=factory,
        distribution=about["Name"],
        version=about["Version"],
        weights=list(weights),
        url=next((url for url in listed if url.startswith("https://")), None),
        sha256=code_sha256(registry.package_folders(package.partition(".")[0])[0]),
    )


def from_factory(
    model: str,
    factory: Callable[[Task], Predictor],
    *,
    title: str,
    track: str | None = None,
    note: str | None = None,
    code: CodeSource,
    code_path: Path | None = None,
) -> Candidate:
    """A row of somebody's own: `factory(task)` gives what predicts.

    The predictor may say of itself: `n_params` (a count), `weights` (descriptions of the
    files it reads, as in a model card) and `flops_per_example()`.
    """

    def make(task: Task) -> NamedPredictor:
        call = factory(task)
        if not callable(call):
            raise ValueError(
                f"{code.factory} must return something that predicts when called with inputs, not "
                f"{type(call).__name__}"
            )
        listed = [
            each if isinstance(each, dict) else each.model_dump(mode="json")
            for each in getattr(call, "weights", ())
        ]
        source = CodeSource.model_validate(code.model_dump(mode="json") | {"weights": listed})
        return NamedPredictor(
            model,
            title,
            "model",
            track,
            lambda: call,
            n_params=int(getattr(call, "n_params", 0)),
            note=note,
            code=source,
            code_path=code_path,
            weights=tuple(weight.sha256 for weight in source.weights),
        )

    return model, make, []


def code_sha256(package: Path | None = None) -> str:
    """The hash of a package's Python files, names and bytes; by default of this package's."""
    package = package or registry.PACKAGE
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
