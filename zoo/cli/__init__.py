"""`zoo`: list, info, data, bench, audit, explain, figures, train, publish, predict, submit,
verify, push, pull, leaderboard, mirror, doctor.

Exit codes: 0 done; 1 something was found wrong (an altered file, a claim that fails); 2 the
command line or a name is wrong; 3 nothing could be computed because files cannot be had.
"""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

from zoo.cli import bench, data, doctor, entries, models, names
from zoo.cli.domain_options import with_domain_options

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help=__doc__,
    rich_markup_mode=None,
)
for command in (
    names.info,
    data.mirror,
    bench.bench,
    with_domain_options("audit", bench.audit),
    bench.explain,
    bench.figures,
    entries.submit,
    entries.verify,
    entries.push,
    entries.pull,
    models.train,
    models.publish,
    with_domain_options("predict", models.predict),
    doctor.doctor,
):
    app.command()(command)
app.add_typer(names.list_app, name="list")
app.add_typer(data.data_app, name="data")
app.add_typer(entries.board_app, name="leaderboard")


def _print_version(asked: bool) -> None:
    if asked:
        from zoo import __version__

        print(f"scizoo {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """The console script: like `app`, with an error as one line instead of a traceback."""
    warnings.showwarning = lambda message, *_, **__: print(f"warning: {message}", file=sys.stderr)
    from zoo import cards, files, registry

    try:
        app()
    except registry.UnknownName as error:
        _fail(str(error), 2)
    except cards.CardError as error:
        _fail(str(error), 1)
    except files.FileAltered as error:
        _fail(str(error), 1)
    except files.FileMissing as error:
        _fail(str(error), 3)
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("interrupted; the same command continues where it stopped", 130)


def _fail(message: str, code: int) -> None:
    print(f"zoo: {message}", file=sys.stderr)
    sys.exit(code)
