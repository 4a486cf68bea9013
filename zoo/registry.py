"""Names -> cards: every dataset, task and pretrained model that is installed, found without
importing any of their code.

A third-party package adds its own by entry points: `zoo.models` and `zoo.tasks` name a
package whose folder holds model cards (`*.toml` beside their weights) or task specs. The
package is located, not imported; one that cannot be read warns and is left out.
"""

from __future__ import annotations

import difflib
import fnmatch
import functools
import importlib
import importlib.metadata
import importlib.util
import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from zoo import files
from zoo.cards import CardError, DatasetCard, FileCard, ModelCard, TaskSpec, read

Kind = type[DatasetCard] | type[TaskSpec] | type[ModelCard]
PACKAGE = Path(__file__).resolve().parent
"""The folder of this package."""


class UnknownName(KeyError):
    """No card has this name; the message offers the nearest."""

    def __str__(self) -> str:
        return str(self.args[0])


class Plugin(NamedTuple):
    """The third-party package that brought a card."""

    distribution: str
    version: str
    package: str


class Found(NamedTuple):
    """A card and the file it was read from."""

    card: Any
    path: Path
    plugin: Plugin | None = None
    """The package that brought it; None: this one."""


@functools.cache
def _datasets() -> dict[str, Found]:
    ours = _scan([files.share() / "datasets"], "*/*/card.toml", DatasetCard)
    return _with_plugins(ours, "zoo.datasets", DatasetCard, "*/card.toml")


@functools.cache
def _tasks() -> dict[str, Found]:
    ours = _scan([files.share() / "benchmarks"], "*/*.toml", TaskSpec)
    return _with_plugins(ours, "zoo.tasks", TaskSpec)


@functools.cache
def _models() -> dict[str, Found]:
    ours = _scan([PACKAGE], "*/weights/*.toml", ModelCard)
    return _with_pulled(_with_plugins(ours, "zoo.models", ModelCard))


def _with_pulled(found: dict[str, Found]) -> dict[str, Found]:
    """Also the models that `zoo pull` left in the cache; one that cannot be read, or whose
    name is taken, warns."""
    found = dict(found)
    for path in sorted((files.home() / "models").glob("*/*.toml")):
        try:
            card = read(path, ModelCard)
            if card.id in found:
                raise CardError(
                    f"{path} describes {card.id}, which {found[card.id].path} describes already"
                )
            found[card.id] = Found(card, path)
        except CardError as error:
            warnings.warn(f"pulled model {path.stem!r} left out: {error}", stacklevel=2)
    return dict(sorted(found.items()))


def plugin_packages() -> set[str]:
    """The import names of installed packages that bring models."""
    return {
        point.value.partition(".")[0]
        for point in importlib.metadata.entry_points(group="zoo.models")
    }


def forget() -> None:
    """Makes the next question read all cards again (after a package was installed)."""
    importlib.invalidate_caches()
    for known in (_datasets, _tasks, _models):
        known.cache_clear()


def datasets() -> dict[str, DatasetCard]:
    """Every dataset card by id, sorted."""
    return {name: found.card for name, found in _datasets().items()}


def tasks() -> dict[str, TaskSpec]:
    """Every task spec by id, sorted."""
    return {name: found.card for name, found in _tasks().items()}


def models() -> dict[str, ModelCard]:
    """Every pretrained model's card by id, sorted."""
    return {name: found.card for name, found in _models().items()}


def path_of(name: str, kind: str) -> Path:
    """The file of a card; `kind` is "dataset", "task" or "model"."""
    return _one(name, {"dataset": _datasets, "task": _tasks, "model": _models}[kind](), kind).path


def plugin_of(name: str, kind: str = "model") -> Plugin | None:
    """The third-party package that brought a dataset, model or task; None for our own."""
    known = {"dataset": _datasets, "task": _tasks, "model": _models}
    return _one(name, known[kind](), kind).plugin


def dataset_folder(card: DatasetCard) -> Path:
    """Where a dataset's card lies, with the files that its repository or package carries."""
    found = _datasets().get(card.id)
    return files.share() / "datasets" / card.id if found is None else found.path.parent


def missing(card: DatasetCard, names: list[str]) -> list[FileCard]:
    """The files, of those named, that are in no local place.

    Raises:
        zoo.cards.CardError: the card has no file of that name.
    """
    by_name = {file.name: file for file in card.file}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise CardError(
            f"dataset {card.id} has no file {unknown[0]!r}; it has {', '.join(by_name)}"
        )
    folder = dataset_folder(card)
    return [by_name[name] for name in names if files.find(by_name[name], folder=folder) is None]


def dataset(name: str) -> DatasetCard:
    """One dataset card. Raises `UnknownName` with the nearest names."""
    card: DatasetCard = _one(name, _datasets(), "dataset").card
    return card


def task(name: str) -> TaskSpec:
    """One task spec. Raises `UnknownName` with the nearest names."""
    card: TaskSpec = _one(name, _tasks(), "task").card
    return card


def model(name: str) -> ModelCard:
    """One model card. Raises `UnknownName` with the nearest names."""
    card: ModelCard = _one(name, _models(), "model").card
    return card


def list_datasets(pattern: str = "*") -> list[str]:
    """Names of datasets that match a shell wildcard, e.g. `climate/*`."""
    return matching(pattern, datasets())


def list_tasks(pattern: str = "*") -> list[str]:
    """Names of tasks that match a shell wildcard; a bare domain means all of its tasks."""
    return matching(pattern, tasks())


def list_models(pattern: str = "*") -> list[str]:
    """Names of pretrained models that match a shell wildcard, e.g. `climate/*` or `*sfno*`."""
    return matching(pattern, models())


def matching(pattern: str, names: Any) -> list[str]:
    """The names that a wildcard means: exact, by wildcard, or all of a domain."""
    if re.fullmatch(r"[\w\-]+", pattern):
        pattern += "/*"
    return sorted(fnmatch.filter(names, pattern))


def load_dataset(name: str, **options: Any) -> Any:
    """A dataset, opened by the loader that its card names; what it returns stands in the
    loader's docstring."""
    return resolve(dataset(name).loader)(**options)


def resolve(code: str) -> Any:
    """The object that `module:attribute` names, imported now.

    Raises:
        ImportError: naming the string, when the module or the attribute does not exist.
    """
    module, _, attribute = code.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except AttributeError as error:
        raise ImportError(f"{code!r}: module {module} has no {attribute!r}") from error


def did_you_mean(name: str, names: Any) -> str:
    """A sentence with the nearest names, or with all of them when they are few."""
    names = sorted(names)
    folded = {candidate.lower(): candidate for candidate in names} | {
        candidate.lower().split("/")[-1]: candidate for candidate in names
    }
    near = [folded[key] for key in difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.5)]
    if near:
        return f"did you mean {' or '.join(dict.fromkeys(near))}?"
    return (
        f"there are: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"
        if names
        else "there are none"
    )


def _one(name: str, found: dict[str, Found], kind: str) -> Found:
    if name in found:
        return found[name]
    raise UnknownName(
        f"no {kind} is called {name!r}; {did_you_mean(name, found)} (`zoo list {kind}s` shows all)"
    )


def _scan(folders: list[Path], glob: str, kind: Kind) -> dict[str, Found]:
    found: dict[str, Found] = {}
    for folder in folders:
        for path in sorted(folder.glob(glob)):
            card = read(path, kind)
            if card.id in found:
                raise CardError(f"{path} and {found[card.id].path} both describe {card.id}")
            found[card.id] = Found(card, path)
    return dict(sorted(found.items()))


def _with_plugins(
    ours: dict[str, Found], group: str, kind: type, glob: str = "*.toml"
) -> dict[str, Found]:
    """Our cards and those of installed plug-ins, which may add names but never take one
    that is there."""
    found = dict(ours)
    for point in importlib.metadata.entry_points(group=group):
        try:
            for name, card in _scan(package_folders(point.value), glob, kind).items():
                if name in found:
                    raise CardError(
                        f"{card.path} describes {name}, which {found[name].path} describes already"
                    )
                assert point.dist is not None, "an installed package has a distribution"
                found[name] = card._replace(
                    plugin=Plugin(point.dist.name, point.dist.version, point.value)
                )
        except Exception as error:  # a plug-in may fail in any way; it must not break `zoo list`
            warnings.warn(f"plug-in {point.name!r} ({group}) left out: {error}", stacklevel=2)
    return dict(sorted(found.items()))


def package_folders(package: str) -> list[Path]:
    """The folders of an installed package; `find_spec` of a dotted name would import its
    parents, so only the first part is asked for."""
    first, *rest = package.split(".")
    spec = importlib.util.find_spec(first)
    folders = [
        Path(location, *rest) for location in (spec and spec.submodule_search_locations) or ()
    ]
    if not any(folder.is_dir() for folder in folders):
        raise ImportError(f"{package!r} is no installed package")
    return folders
