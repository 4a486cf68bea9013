"""The static site: every page from one `Board`, by Jinja with autoescape; relative links
only, no network, same bytes every time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from zoo import files
from zoo.cards import MetricSpec
from zoo.leaderboard import board as boards
from zoo.leaderboard import (
    compare,
    croissant,
    curves,
    data,
    history,
    pictures,
    poster,
    ranks,
    tables,
    text,
)
from zoo.leaderboard.board import KIND_NAMES, Board, BoardError, Row, TaskBoard, place

HERE = Path(__file__).parent
ASSETS = ("site.css", "site.js", "compare.js")
MARKS = {
    "rerun": "re-run",
    "rescored": "rescored",
    "static": "hashes only",
    "failed": "differs",
    "stale": "entry changed since",
    "no": "not yet",
}
TRUTHS = {
    "simulated": "the truth is a simulation",
    "observed": "the truth was observed",
    "reanalysis": "the truth is a reanalysis (observations blended with a model)",
    "mixed": "the truth is partly simulated, partly observed",
}
LEVELS = {
    "static": "schema and hashes were checked; nothing was computed",
    "rescored": "scores and intervals were computed again from the stored per-example record",
    "rerun": "weights and code were run again and the predictions scored",
}
Pages = dict[str, str]
POSTER = "board.svg"
"""The picture beside the tables."""


def build(
    out: str | Path | None = None,
    *,
    root: str | Path | None = None,
    readme: str | Path | None = None,
) -> list[Path]:
    """Writes the tables, their picture and the site; returns the README's path and the
    first page's.

    Args:
        out: the site's folder; default `leaderboard/_site` under the root.
        root: folder with benchmarks/, datasets/ and leaderboard/; default this checkout or
            installation.
        readme: where the Markdown tables go; default `leaderboard/README.md` in a checkout,
            else `README.md` beside the pages.

    Raises:
        BoardError: `out` holds files that are no such site; nothing was written.
    """
    base = files.share() if root is None else Path(root)
    out = Path(out) if out is not None else base / "leaderboard" / "_site"
    if readme is None:
        readme = (
            base / "leaderboard" / "README.md"
            if (base / "pyproject.toml").is_file()
            else out / "README.md"
        )
    earlier = _earlier(out)
    board = ranks.rank(boards.read(None if root is None else base))
    pages = render(board)
    for name in sorted(earlier - pages.keys()):
        (out / name).unlink()
    for name, content in pages.items():
        _write(out / name, content)
    _write(Path(readme), tables.markdown(board))
    _write(Path(readme).with_name(POSTER), poster.svg(board))
    return [Path(readme), out / "index.html"]


def render(board: Board) -> Pages:
    """Every file of the site: path relative to its folder -> content."""
    from zoo.scoring import stats

    render_page = _renderer(board)
    pages = {
        f"assets/{name}": (HERE / "assets" / name).read_text(encoding="utf-8") for name in ASSETS
    }
    pages["index.html"] = render_page(
        "index.html", "index.html", newest=board.newest(10), domains=_domains(board)
    )
    pages["methods.html"] = render_page("methods.html", "methods.html", coverage=stats.COVERAGE)
    for task in board.tasks:
        pages |= _task(task, render_page)
    places = {task.key: task.decimals() for task in board.tasks}
    for task, row in board.rows():
        name = f"entries/{place(row.entry.id)}.html"
        context = {
            "task": task,
            "row": row,
            "places": places[task.key],
            "matrices": _matrices(task, row),
            "seeds": _seeds(task, row),
        }
        pages[name] = render_page(
            "entry.html", name, card=board.models.get(row.entry.model), **context
        )
    of_model: dict[str, list[tuple[TaskBoard, Row]]] = {}
    for task, row in board.rows():
        of_model.setdefault(row.entry.model, []).append((task, row))
    for identifier, card in board.models.items():
        name = f"models/{place(identifier)}.html"
        pages[name] = render_page(
            "model.html", name, card=card, rows=of_model.get(identifier, []), places=places
        )
    for identifier, dataset in board.datasets.items():
        name = f"datasets/{place(identifier)}.html"
        tasks = [task for task in board.tasks if task.spec.dataset == identifier]
        drawn = pictures.of_dataset(identifier, board.figures.get(identifier, []))
        pages[f"data/{place(identifier)}.croissant.json"] = croissant.text(dataset)
        pages[name] = render_page("dataset.html", name, card=dataset, tasks=tasks, pictures=drawn)
    pages["models/index.html"] = render_page("models.html", "models/index.html")
    pages["datasets/index.html"] = render_page("datasets.html", "datasets/index.html")
    pages["history.html"] = render_page("history.html", "history.html", histories=_histories(board))
    for suffix, (whole, of_task) in {
        "json": data.all_json(board),
        "csv": data.all_csv(board),
    }.items():
        pages |= {f"data/entries.{suffix}": whole} | {
            f"data/{key}.{suffix}": content for key, content in of_task.items()
        }
    pages["feed.xml"] = data.feed(board)
    return dict(sorted(pages.items()))


def _renderer(board: Board) -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "t": text,
        "board": board,
        "KINDS": KIND_NAMES,
        "MARKS": MARKS,
        "TRUTHS": TRUTHS,
        "LEVELS": LEVELS,
        "place": place,
        "letters": boards.letters,
        "swatch": curves.swatch,
        "COSTS": curves.COSTS,
        "page_of": _page_of,
    }

    def render_page(template: str, name: str, **context: Any) -> str:
        return environment.get_template(template).render(
            root="../" * name.count("/"), page=name, **context
        )

    return render_page


def _task(task: TaskBoard, render_page: Any) -> Pages:
    """The pages and data files of one task version."""
    place(task.key)
    headline = task.spec.metric_of(task.spec.headline)
    ordered = [headline, *(metric for metric in task.spec.metric if metric is not headline)]
    drawn = {metric.name: curves.family(task, metric) for metric in ordered if metric.positions}
    drawn = {name: curve for name, curve in drawn.items() if curve is not None}
    scalars = [
        (metric, name) for metric in ordered if metric.name not in drawn for name in metric.names
    ]
    column = next(
        (column.label for column in task.spec.table if column.metric == task.spec.headline), None
    )
    context = {
        "task": task,
        "spec": task.spec,
        "places": task.decimals(),
        "headline": headline,
        "headline_label": column or text.label(headline, task.spec.headline),
        "curves": drawn,
        "families": {metric.name: metric for metric in ordered},
        "scalars": scalars,
    }
    main, every, pair = _page_of(task), _page_of(task, "metrics"), _page_of(task, "compare")
    packed = compare.script(task)
    context["comparable"] = packed is not None
    drawings = {
        "cost": curves.cost(task),
        "heats": curves.heats(task),
        "whiskers": _whiskers(task),
        "pictures": pictures.of_task(task),
    }
    return {
        main: render_page("task.html", main, **drawings, **context),
        every: render_page("metrics.html", every, **context),
        **(
            {}
            if packed is None
            else {
                pair: render_page("compare.html", pair, matrix=compare.matrix(task), **context),
                f"{pair.removesuffix('.html')}.js": packed,
            }
        ),
    }


def _histories(board: Board) -> list[tuple[TaskBoard, list[history.Record], Any]]:
    """Tasks with the entries that were once best, and a chart where there is more than one date."""
    found = [(task, history.records(task)) for task in board.tasks if not task.retired]
    return [(task, records, history.chart(task, records)) for task, records in found if records]


def _page_of(task: TaskBoard, page: str = "index") -> str:
    return f"tasks/{place(task.key)}/{page}.html"


def _domains(board: Board) -> dict[str, list[TaskBoard]]:
    """Tasks by domain; retired versions only where they still have rows."""
    found: dict[str, list[TaskBoard]] = {}
    for task in sorted(board.tasks, key=lambda task: (task.spec.id, -task.spec.version)):
        found.setdefault(task.domain, []).append(task)
    return dict(sorted(found.items()))


def _whiskers(task: TaskBoard) -> dict[str, tuple[float, float, float]]:
    """Headline scores and interval ends as positions 0..100 on one common scale, by row name."""
    scores = {
        row.name: score for row in task.rows if (score := row.score(task.spec.headline)) is not None
    }
    spans = {name: (score.ci95 or (score.value, score.value)) for name, score in scores.items()}
    if not spans:
        return {}
    low, high = min(span[0] for span in spans.values()), max(span[1] for span in spans.values())
    scale = 100 / ((high - low) or 1.0)

    def place(value: float) -> float:
        return round((value - low) * scale, 1)

    return {
        name: (place(span[0]), place(scores[name].value), place(span[1]))
        for name, span in spans.items()
    }


def _matrices(task: TaskBoard, row: Row) -> list[dict[str, Any]]:
    """The metrics of an entry page: families that share their points in one matrix, single
    values in one list."""
    groups: dict[tuple[str, ...], list[MetricSpec]] = {}
    for metric in task.spec.metric:
        groups.setdefault(tuple(metric.at), []).append(metric)
    matrices = [
        {"points": list(points), "axis": metrics[0].axis or "", "metrics": metrics}
        for points, metrics in groups.items()
    ]
    known = {name for metric in task.spec.metric for name in metric.names}
    return (
        [*matrices, {"points": None, "axis": "", "metrics": sorted(set(row.entry.metrics) - known)}]
        if set(row.entry.metrics) - known
        else matrices
    )


def _seeds(task: TaskBoard, row: Row) -> dict[str, Any]:
    """Per-seed scores of the metrics that the short table shows, with mean and standard
    deviation over seeds."""
    import statistics

    seeds = row.entry.training_seeds
    names = list(
        dict.fromkeys([task.spec.headline, *(column.metric for column in task.spec.table)])
    )
    names = [name for name in names if any(name in seed.metrics for seed in seeds)]
    summary = {}
    for name in names:
        values = [seed.metrics[name] for seed in seeds if name in seed.metrics]
        summary[name] = (
            statistics.fmean(values),
            statistics.stdev(values) if len(values) > 1 else None,
        )
    labels = {column.metric: column.label for column in task.spec.table}
    return {
        "names": names,
        "labels": {name: labels.get(name, name) for name in names},
        "summary": summary,
    }


def _earlier(out: Path) -> set[str]:
    """Files of an earlier build in `out`; refuses a folder that holds anything else."""
    if not out.exists():
        return set()
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    ours = re.compile(
        r"(index|methods|history)\.html|feed\.xml|README\.md|board\.svg|assets/(site\.css|(site|compare)\.js)"
        r"|(tasks|entries|models|datasets)/[^\n]*\.html|tasks/[^\n]*/compare\.js|data/[^\n]*\.(json|csv)"
    )
    strange = sorted(name for name in found if not ours.fullmatch(name))
    if not out.is_dir() or strange or (found and not {"index.html", "assets/site.css"} <= found):
        raise BoardError(
            f"{out} holds files that are no leaderboard "
            f"({', '.join(strange[:3]) or 'index.html is missing'}); name a new or empty one"
        )
    return found - {"README.md", POSTER}


def _write(path: Path, content: str) -> None:
    """Leaves a file that is the same already as it is: a rebuild touches what changed."""
    encoded = content.encode("utf-8")
    if path.is_file() and path.stat().st_size == len(encoded) and path.read_bytes() == encoded:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded)
