"""Entries bind the protocol, not two TOML files. Run once; kept as the proof of what it did.

    python benchmarks/migrations/2026_11_protocol_hash.py [--check]

Until November 2026 an entry named the SHA-256 of its task's and its dataset's whole TOML file, so
that a renamed module or a mended sentence invalidated it. For each entry this shows, before it
writes anything:

1. both old hashes are those of committed files: the history of each card is searched for them;
2. the protocol of those very files is today's. `parameters` are left out of this comparison, since
   cards have them only from now on: they were constants of the code before, and that they kept
   their values is shown by rescoring every record (`zoo verify --level rescored`) and by re-runs;
3. the entry has the layout of `zoo.cards.dump` (sorted keys, one space), so that nothing but the
   named keys changes.

Then `hashes.protocol` takes the place of `hashes.task` and `hashes.dataset_card`, and the
verification beside it, if it was of the old file, names the new one. What cannot be shown is
refused by name, and left as it was. A second run changes nothing.

    python benchmarks/migrations/2026_11_protocol_hash.py --rebind OLD [--allow PATTERN] [--check]

is for later changes of bytes, not of content (a data file packed anew): an entry that is bound to
the protocol of the cards at the commit OLD is bound to today's, if they differ in nothing but
files' hashes and sizes (or what `--allow` names, e.g. `metrics.*.parameters.*`) and its record,
rescored with today's code, gives the same scores to 1e-9. That the content of the files is the
same it cannot show: whoever packs them anew compares the arrays, and re-runs a row of the task.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import fnmatch
import functools
import hashlib
import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from zoo import files, registry
from zoo.cards import CardError, DatasetCard, Entry, TaskSpec, parse
from zoo.commands import revisions
from zoo.commands.verify import record_path
from zoo.scoring import protocol, record, stats

OLD_KEYS = {"task", "dataset_card"}
PACKED_ANEW = [
    "files.*.sha256",
    "files.*.bytes",
    "baselines.*.files.*.sha256",
    "baselines.*.files.*.bytes",
]
"""Differences that a file packed anew makes."""


class NotShown(Exception):
    """What had to be shown of an entry before it may be changed, and could not."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one entry."""

    entry: str
    verdict: str
    sidecar: str = ""
    detail: str = ""


def plain_entry(path: Path) -> dict[str, Any]:
    """An entry's JSON, known to have the layout of `zoo.cards.dump`."""
    text = path.read_text(encoding="utf-8")
    content = json.loads(text)
    if spelt(content) != text:
        raise NotShown(
            "has not the layout of zoo.cards.dump, so that more than its hashes would change"
        )
    return content


def spelt(content: dict[str, Any]) -> str:
    """Plain data in the layout of `zoo.cards.dump`, without the optional fields that it lacks."""
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


@functools.cache
def committed(card: str) -> dict[str, tuple[str, bytes]]:
    """SHA-256 -> (newest commit that made it, bytes) of every committed state of a file."""
    found: dict[str, tuple[str, bytes]] = {}
    for revision in revisions.commits(files.share(), card):
        text = revisions.content(files.share(), revision, card)
        if text is not None and (digest := hashlib.sha256(text).hexdigest()) not in found:
            found[digest] = revision, text
    return found


def without_parameters(content: dict[str, Any]) -> dict[str, Any]:
    """A protocol without what cards of old could not say."""
    content = copy.deepcopy(content)
    for block in (content, *content["metrics"].values()):
        block.pop("parameters")
    return content


def today(entry: dict[str, Any]) -> dict[str, Any]:
    """The protocol of an entry's row by the cards of the working tree."""
    spec = registry.task(entry["task"])
    if spec.version != entry["task_version"]:
        raise NotShown(
            f"is of version {entry['task_version']}, the task is at {spec.version}: it is retired"
        )
    return protocol.protocol(spec, registry.dataset(spec.dataset), entry["model"])


def bind(entry: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The entry with the protocol's hash in place of the two files', and their commits."""
    new = today(entry)
    dataset = registry.task(entry["task"]).dataset
    cards = {
        "task": f"benchmarks/{entry['task']}.toml",
        "dataset_card": f"datasets/{dataset}/card.toml",
    }
    proofs = {}
    for key, card in cards.items():
        if (proof := committed(card).get(entry["hashes"][key])) is None:
            raise NotShown(f"hashes.{key} is that of no committed state of {card}")
        proofs[key] = proof
    spec, dataset_card = (
        revisions.read_old(proofs["task"][1], TaskSpec),
        revisions.read_old(proofs["dataset_card"][1], DatasetCard),
    )
    old = protocol.protocol(spec, dataset_card, entry["model"])
    if changed := protocol.differences(without_parameters(old), without_parameters(new)):
        raise NotShown(f"the cards that it names had another protocol: {'; '.join(changed)}")
    kept = {name: value for name, value in entry["hashes"].items() if name not in OLD_KEYS}
    when = ", ".join(f"{card} of {proofs[key][0][:12]}" for key, card in cards.items())
    return entry | {"hashes": kept | {"protocol": protocol.sha256_of(new)}}, when


def rebind(
    entry: dict[str, Any], path: Path, revision: str, allowed: list[str]
) -> tuple[dict[str, Any], str]:
    """The entry bound to today's protocol, and what differs from that of `revision`."""
    new = today(entry)
    then = revisions.protocol_at(files.share(), revision, entry["task"], entry["model"])
    if then is None or protocol.sha256_of(then) != entry["hashes"]["protocol"]:
        raise NotShown(f"is not bound to the protocol of the cards at {revision}")
    changed = protocol.differences(then, new)

    def expected(line: str) -> bool:
        return any(fnmatch.fnmatchcase(line.partition(": ")[0], each) for each in allowed)

    if other := [line for line in changed if not expected(line)]:
        raise NotShown(f"more than packed files differs: {'; '.join(other)}")
    rescore(entry, path)
    return entry | {"hashes": entry["hashes"] | {"protocol": protocol.sha256_of(new)}}, "; ".join(
        changed
    )


def rescore(entry: dict[str, Any], path: Path) -> None:
    """Shows that the entry's record gives its scores to 1e-9."""
    card = parse(entry, Entry, where=str(path))
    beside = record_path(path, card)
    if files.sha256(beside) != card.hashes.record:
        raise NotShown("its record is not the one that it names by hash")
    spec = registry.task(card.task)
    obtained = stats.scores(registry.resolve(spec.code)(spec, file=Path), record.read(beside))
    for name, metric in card.metrics.items():
        if not math.isclose(
            metric.value, obtained.get(name, math.nan), rel_tol=1e-9, abs_tol=1e-12
        ):
            raise NotShown(
                f"metrics.{name}: claimed {metric.value!r}, rescored gives {obtained.get(name)!r}"
            )


def sidecar(path: Path, before: bytes, after: bytes, *, write: bool) -> str:
    """Lets the verification of the old file name the new one; says what was done."""
    if not path.is_file():
        return "none"
    text = path.read_text(encoding="utf-8")
    named, old, new = (
        json.loads(text)["entry_sha256"],
        hashlib.sha256(before).hexdigest(),
        hashlib.sha256(after).hexdigest(),
    )
    if named != old:
        return "already of the new file" if named == new else "of neither file, left"
    if text.count(old) != 1:
        raise NotShown("its verification names the entry's hash more than once")
    if write:
        files.write_text(path, text.replace(old, new))
    return "follows"


def change(path: Path, revision: str | None, allowed: list[str], *, write: bool) -> Outcome:
    """One entry and its verification."""
    board = files.share() / "leaderboard"
    name = path.relative_to(board / "entries").as_posix().removesuffix(".json")
    before = path.read_bytes()
    try:
        entry = plain_entry(path)
        bound = (
            entry["hashes"].get("protocol") == protocol.sha256_of(today(entry))
            and not OLD_KEYS & entry["hashes"].keys()
        )
        if bound:
            return Outcome(name, "is bound to today's protocol already")
        if revision is None and not entry["hashes"].keys() >= OLD_KEYS:
            raise NotShown(
                "has no hashes of the two cards and is not bound to today's protocol "
                "(`--rebind OLD`, with the commit whose cards it is bound to?)"
            )
        new, detail = bind(entry) if revision is None else rebind(entry, path, revision, allowed)
        after = spelt(new).encode()
        parse(new, Entry, where=str(path))
        followed = sidecar(board / "verified" / f"{name}.json", before, after, write=write)
        if write:
            files.write_text(path, after.decode())
    except (NotShown, CardError, registry.UnknownName) as error:
        return Outcome(name, "REFUSED", detail=str(error))
    return Outcome(name, "bound" if write else "would be bound", followed, detail)


def main(arguments: list[str] | None = None) -> int:
    """Every entry of the leaderboard, with a table of counts; 1 if any was refused."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument(
        "--rebind", metavar="OLD", help="commit whose cards the entries are bound to"
    )
    parser.add_argument(
        "--allow",
        metavar="PATTERN",
        action="append",
        default=[],
        help="what else of the protocol may differ",
    )
    options = parser.parse_args(arguments)
    paths = sorted((files.share() / "leaderboard/entries").rglob("*.json"))
    outcomes = [
        change(path, options.rebind, PACKED_ANEW + options.allow, write=not options.check)
        for path in paths
    ]
    print(f"{len(outcomes)} entries")
    for (verdict, followed), count in sorted(
        Counter((each.verdict, each.sidecar) for each in outcomes).items()
    ):
        print(f"  {count:4d}  {verdict}{f'; verification: {followed}' if followed else ''}")
    print("by the state of the cards" if options.rebind is None else "by what differs")
    for detail, count in sorted(
        Counter(
            each.detail for each in outcomes if each.detail and each.verdict != "REFUSED"
        ).items()
    ):
        print(f"  {count:4d}  {detail}")
    refused = [each for each in outcomes if each.verdict == "REFUSED"]
    for each in refused:
        print(f"REFUSED {each.entry}: {each.detail}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
