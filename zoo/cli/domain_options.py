"""Options that a domain declares for a command (`zoo.interfaces.domain`), as if they stood here.

`zoo audit`, `predict` and `data build` show and take the options of every installed domain. The
function behind such a command has a parameter `options`: what the user gave, by name and as typed;
the domain that is meant says which of them it knows.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from typing import Annotated, Any

import typer

from zoo.interfaces.domain import Command, domains


def with_domain_options(command: Command, function: Callable[..., None]) -> Callable[..., None]:
    """A command's function with the domains' options in place of its parameter `options`."""
    declared = _declared(command)
    hints = typing.get_type_hints(function, include_extras=True)
    own = [
        each.replace(annotation=hints[name])
        for name, each in inspect.signature(function).parameters.items()
        if name != "options"
    ]
    theirs = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[str | None, typer.Option(help=" ".join(said))],
        )
        for name, said in declared.items()
    ]

    @functools.wraps(function)
    def run(**values: Any) -> None:
        given = {name: values.pop(name) for name in declared if name in values}
        chosen = {name: value for name, value in given.items() if value is not None}
        function(**values, options=chosen)

    parameters = [*own, *theirs]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # for Typer
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _declared(command: Command) -> dict[str, list[str]]:
    """Option -> its help in each domain that declares it."""
    found: dict[str, list[str]] = {}
    for domain in domains().values():
        for option in domain.options.get(command, ()):
            found.setdefault(option.name, []).append(f"{option.help[:-1]} ({domain.name}).")
    return found
