"""What a domain says of itself: the files it reads, what it answers, which options it needs.

A domain is found by the entry point `zoo.domains`, whose value names its descriptor:

    [project.entry-points."zoo.domains"]
    climate = "zoo.climate.domain:DOMAIN"

The module of a descriptor imports nothing heavy: everything that works is named by a code path
(`module:attribute`) and resolved when it is used. So the core holds no list of domains, and a
package that brings a fourth one needs no line of it changed (`examples/zoo-tides` is one, whole).
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

Command = Literal["audit", "data build", "explain", "predict", "train"]


@dataclasses.dataclass(frozen=True)
class Option:
    """An option of a command that means something in this domain alone.

    Attributes:
        name: as a Python argument (`train_until`); on the command line `--train-until`.
        type: str, int or float.
        help: one sentence.
        default: what holds where it is not given.
    """

    name: str
    type: type
    help: str
    default: Any = None

    @property
    def flag(self) -> str:
        """As it is typed."""
        return "--" + self.name.replace("_", "-")


@dataclasses.dataclass(frozen=True)
class FileAudit:
    """The audit of a user's own files.

    Attributes:
        kind: what the files hold, by which `zoo audit --kind` asks for it: "series".
        suffixes: endings that nobody else's files have.
        run: `(paths, **options) -> zoo.interfaces.findings.Report`.
        recognise: `(path, options) -> bool`, for files whose ending does not tell (a table, a
            Zarr store, a folder); None: by the ending alone.
        hint: what the user says where it was not recognised ("a column of times: --time NAME").
    """

    kind: str
    suffixes: tuple[str, ...]
    run: str
    recognise: str | None = None
    hint: str = ""


@dataclasses.dataclass(frozen=True)
class Domain:
    """One domain of the zoo.

    Attributes:
        name: the first part of its ids: "climate".
        title: in words.
        suffixes: endings of the users' files that its models are fine-tuned on.
        file_audit: how a user's own files are audited.
        dataset_audits: data set -> (`(subset) -> reports`, the subset that it is there; None: the
            user names one after a colon).
        explainable: `(model, source, *, examples, target) ->
            zoo.interfaces.explanation.Explainable`.
        adapt: `(source, data, ...) -> zoo.interfaces.finetune.Labelled | Problem`.
        adaptable: code path of the architectures' code paths that `adapt` takes.
        options: command -> options that it takes in this domain.
    """

    name: str
    title: str
    suffixes: tuple[str, ...] = ()
    file_audit: FileAudit | None = None
    dataset_audits: Mapping[str, tuple[str, str | None]] = dataclasses.field(default_factory=dict)
    explainable: str | None = None
    adapt: str | None = None
    adaptable: str | None = None
    options: Mapping[Command, tuple[Option, ...]] = dataclasses.field(default_factory=dict)

    def recognises(self, path: Path) -> bool:
        """Whether a file's or folder's ending is one that this domain's models are trained on."""
        return ending(path, self.suffixes) is not None

    def options_of(self, command: Command, given: Mapping[str, Any]) -> dict[str, Any]:
        """What a command is called with: the given options in their type, and the defaults.

        Args:
            command: which.
            given: by name, as typed or as values.

        Raises:
            ValueError: an option that means nothing in this domain, or a value that is none of
                its type; says what would be right.
        """
        legal = {option.name: option for option in self.options.get(command, ())}
        for name in given:
            if name not in legal:
                flags = ", ".join(option.flag for option in legal.values()) or "none"
                raise ValueError(
                    f"--{name.replace('_', '-')} means nothing to `zoo {command}` in "
                    f"{self.name}; options there: {flags}"
                )
        values = {name: each.default for name, each in legal.items() if each.default is not None}
        for name, value in given.items():
            try:
                values[name] = legal[name].type(value)
            except ValueError as error:
                kind = legal[name].type.__name__
                raise ValueError(f"{legal[name].flag} {value!r} is no {kind}") from error
        return values


@functools.cache
def domains() -> dict[str, Domain]:
    """Every installed domain by name, sorted; one whose descriptor cannot be had warns."""
    found: dict[str, Domain] = {}
    for point in importlib.metadata.entry_points(group="zoo.domains"):
        try:
            domain = point.load()
            if not isinstance(domain, Domain):
                raise TypeError(f"{point.value} is no zoo.interfaces.domain.Domain")
            if domain.name in found:
                raise ValueError(f"{domain.name!r} is a domain already")
            found[domain.name] = domain
        except Exception as error:  # a plug-in may fail in any way; it must not break the others
            warnings.warn(f"domain {point.name!r} left out: {error}", stacklevel=2)
    return dict(sorted(found.items()))


def domain_of(name: str) -> Domain:
    """The domain of an id (`climate/enso`), or of that name.

    Raises:
        zoo.registry.UnknownName: no installed package brings it.
    """
    known, first = domains(), name.partition("/")[0]
    if first not in known:
        from zoo import registry

        raise registry.UnknownName(
            f"no domain is called {first!r}; {registry.did_you_mean(first, known)} (a package "
            "brings one by the entry point `zoo.domains`)"
        )
    return known[first]


def ending(path: Path, suffixes: tuple[str, ...]) -> str | None:
    """The one of some endings that a file has (`.gz` and `.bgz` left aside), or that the first
    such file in a folder has; None: no one.

    >>> ending(Path("reads.fa.gz"), (".fa", ".csv"))
    '.fa'
    """
    name = path.name.lower()
    for packed in (".gz", ".bgz"):
        name = name.removesuffix(packed)
    found = next((suffix for suffix in suffixes if name.endswith(suffix)), None)
    if found is None and path.is_dir():
        inside = (each for each in sorted(path.rglob("*")) if each.suffix.lower() in suffixes)
        return next((each.suffix.lower() for each in inside), None)
    return found


def forget() -> None:
    """Makes the next question look for domains again (after a package was installed)."""
    domains.cache_clear()
