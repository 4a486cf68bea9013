"""The board as data: JSON, CSV and the Atom feed. They say what the pages say, from the
same rows."""

from __future__ import annotations

import csv
import io
import json
import uuid
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from zoo.leaderboard.board import Board, Row, TaskBoard
from zoo.leaderboard.text import utc

COLUMNS = (
    "entry",
    "task",
    "task_version",
    "model",
    "title",
    "kind",
    "track",
    "published",
    "groups",
    "verified",
    "metric",
    "label",
    "unit",
    "direction",
    "value",
    "low",
    "high",
    "gap",
    "n_examples",
    "n_params",
    "flops_per_example",
    "latency_ms_p50",
    "created",
    "sha256",
)


def entry(task: TaskBoard, row: Row) -> dict[str, Any]:
    """One row as plain data: the entry's own content and what the board found out about it."""
    best = row.to_best
    return {
        "id": row.entry.id,
        "file": row.source,
        "sha256": row.sha256,
        "page": f"entries/{row.entry.id}.html",
        "task": task.key,
        "retired": task.retired,
        "groups": row.groups,
        "no_group": row.no_group or None,
        "difference_to_best": None
        if best is None
        else {
            "best": best.other,
            "value": best.value,
            "ci95": [best.low, best.high],
            "verdict": best.verdict,
        },
        "verified": row.verified,
        "entry": row.entry.model_dump(mode="json"),
    }


def all_json(board: Board) -> tuple[str, dict[str, str]]:
    """(every row of the board, by task key: one task version with its spec, its rows, and
    the published rows apart)."""
    blocks = {task.key: [_block(entry(task, row)) for row in task.rows] for task in board.tasks}
    head = {"schema_version": 1, "digest": board.digest}
    every = [block for of_task in blocks.values() for block in of_task]
    return _listing(head, every), {task.key: _task(task, blocks[task.key]) for task in board.tasks}


def _task(task: TaskBoard, blocks: list[str]) -> str:
    peers = task.peers.model_dump(mode="json") if task.peers else None
    content = {
        "schema_version": 1,
        "task": task.spec.model_dump(mode="json"),
        "retired": task.retired,
        "published_not_rerun": peers,
    }
    return _listing(content, blocks)


def _block(content: dict[str, Any]) -> str:
    """An entry as it stands in a list of the outermost object: made once, used in two files."""
    return "  " + _json(content).rstrip("\n").replace("\n", "\n  ")


def _listing(content: dict[str, Any], blocks: list[str]) -> str:
    """The object with `entries` besides, from ready blocks. Typed text has no raw line
    break in JSON, so the key is found for sure."""
    body = "[\n" + ",\n".join(blocks) + "\n ]" if blocks else "[]"
    return _json(content | {"entries": None}).replace(
        '\n "entries": null', f'\n "entries": {body}', 1
    )


def all_csv(board: Board) -> tuple[str, dict[str, str]]:
    """(the whole board, by task key: one task version); a line per row and metric,
    published rows with `published` = 1 and no interval."""
    head, of_task = _csv([]), {task.key: _csv(_task_lines(task)) for task in board.tasks}
    return head + "".join(content.removeprefix(head) for content in of_task.values()), of_task


def _csv(lines: list[dict[str, Any]]) -> str:
    output = io.StringIO()
    writer = csv.DictWriter(output, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return output.getvalue()


def _task_lines(task: TaskBoard) -> list[dict[str, Any]]:
    lines = [line for row in task.rows for line in _lines(task, row)]
    for peer in task.peers.row if task.peers else []:
        shared = {
            "task": task.spec.id,
            "task_version": task.spec.version,
            "title": _cell(peer.name),
            "kind": peer.kind,
            "track": _cell(peer.track),
            "published": 1,
            "n_examples": peer.n_examples,
        }
        for metric, value in sorted(peer.metrics.items()):
            lines.append(shared | {"metric": metric, "value": repr(value)} | _meaning(task, metric))
    return lines


def _lines(task: TaskBoard, row: Row) -> list[dict[str, Any]]:
    it = row.entry
    shared = {
        "entry": it.id,
        "task": it.task,
        "task_version": it.task_version,
        "model": it.model,
        "title": _cell(it.title),
        "kind": it.kind,
        "track": _cell(it.track),
        "published": 0,
        "groups": row.groups,
        "verified": row.verified,
        "n_examples": it.n_examples,
        "n_params": it.cost.n_params,
        "flops_per_example": it.cost.flops_per_example,
        "latency_ms_p50": repr(it.cost.latency_ms_p50),
        "created": utc(it.provenance.created).isoformat(),
        "sha256": row.sha256,
    }
    lines = []
    for metric, score in it.metrics.items():
        low, high = score.ci95 or ("", "")
        bounds = {"low": repr(low) if low != "" else "", "high": repr(high) if high != "" else ""}
        lines.append(
            shared
            | {"metric": metric, "value": repr(score.value)}
            | bounds
            | _meaning(task, metric)
        )
    known = {name for family in task.spec.metric for name in family.names}
    for metric in sorted(known - set(it.metrics)) if not task.retired else []:
        lines.append(shared | {"metric": metric, "gap": row.gap(metric)} | _meaning(task, metric))
    order = {
        name: number
        for number, name in enumerate(name for family in task.spec.metric for name in family.names)
    }
    return sorted(lines, key=lambda line: (order.get(line["metric"], len(order)), line["metric"]))


def _meaning(task: TaskBoard, metric: str) -> dict[str, str]:
    try:
        family = task.spec.metric_of(metric)
    except KeyError:  # a retired version's metric
        return {}
    return {"label": _cell(family.label), "unit": family.unit, "direction": family.direction}


def _cell(text: str | None) -> str:
    """Typed text for a CSV cell: a spreadsheet must not take it for a formula."""
    text = text or ""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _json(content: Any) -> str:
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def feed(board: Board, *, limit: int = 50) -> str:
    """An Atom feed of the newest entries; every date is an entry's own, so a rebuild
    changes nothing."""
    newest = board.newest(limit)
    updated = (
        utc(newest[0][1].entry.provenance.created).isoformat()
        if newest
        else "1970-01-01T00:00:00+00:00"
    )
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom">',
        " <title>scizoo leaderboard: newest entries</title>",
        f" <id>{_urn('feed')}</id>",
        f" <updated>{updated}</updated>",
        ' <link rel="self" href="feed.xml"/>',
        ' <link href="index.html"/>',
    ]
    for task, row in newest:
        score = row.score(task.spec.headline)
        text = f"{task.spec.headline} = {score.value:.6g}" if score else f"no {task.spec.headline}"
        lines += [
            " <entry>",
            f"  <title>{_xml(f'{row.entry.title} on {task.key}')}</title>",
            f"  <id>{_urn(row.entry.id)}</id>",
            f"  <updated>{utc(row.entry.provenance.created).isoformat()}</updated>",
            f"  <link href={quoteattr(f'entries/{row.entry.id}.html')}/>",
            f"  <author><name>{_xml(row.entry.provenance.submitted_by)}</name></author>",
            f"  <summary>{_xml(text)}</summary>",
            " </entry>",
        ]
    return "\n".join([*lines, "</feed>"]) + "\n"


def _urn(name: str) -> str:
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'scizoo:{name}')}"


def _xml(text: str) -> str:
    """Escaped, without the control characters that XML 1.0 forbids."""
    return escape(
        "".join(character for character in text if character >= " " or character in "\t\n")
    )
