"""`zoo doctor`: what works on this machine."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Says what works here and what is missing, and checks every file of the package."""
    from zoo.commands import doctor as diagnosis

    problems = 0
    for ok, line in diagnosis.run():
        problems += not ok
        print(f"{'ok      ' if ok else 'PROBLEM '} {line}")
    if problems:
        raise typer.Exit(1)
