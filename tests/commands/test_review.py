"""Every way to bend an entry that we could think of is caught, and the message names the
field. What a pull request may touch at all is in `test_submit.py`."""

from __future__ import annotations

import io
import json
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from zoo import cards, files
from zoo.commands import verify
from zoo.commands.bench import run as bench
from zoo.commands.bench.entry import ids_sha256, write_entries
from zoo.scoring import record

Bend = Callable[[Path], None]


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """Where the true entries are kept, computed by the first test that needs them."""
    return tmp_path_factory.mktemp("kept") / "entries"


@pytest.fixture
def folder(toy, tmp_path, kept) -> Path:
    """A copy of the true entries of the synthetic task."""
    if not kept.exists():
        result = bench.bench("climate/toy", all_seeds=True, measure=True)[0]
        write_entries(result, kept, command="zoo bench climate/toy", submitted_by="ada")
    shutil.copytree(kept, tmp_path / "entries")
    return tmp_path / "entries/climate/toy@3"


def says(path: Path, level: str) -> str:
    """What verification says of an entry: its problems, or why it is no entry."""
    try:
        result = verify.verify(path, level=level)
    except cards.CardError as error:
        return str(error)
    assert not result.ok, "nothing was noticed"
    return "\n".join(result.problems)


def at(*keys: str | int, value: object) -> Bend:
    """Sets one field."""

    def bend(path: Path) -> None:
        content = json.loads(path.read_text())
        inner = content
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        path.write_text(json.dumps(content))

    return bend


def text(old: str, new: str) -> Bend:
    """Replaces a piece of the file's text, for what JSON cannot say."""

    def bend(path: Path) -> None:
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new, 1))

    return bend


def arrays(change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]) -> Bend:
    """Changes the record and corrects the hashes as a careful forger would."""

    def bend(path: Path) -> None:
        entry = cards.read(path, cards.Entry)
        beside = path.with_name(entry.record)
        changed = change(record.read(beside))
        record.write(beside, changed)
        content = json.loads(path.read_text())
        ids = ids_sha256(changed["example_id"])
        content["hashes"] |= {"record": files.sha256(beside), "example_ids": ids}
        path.write_text(json.dumps(content))

    return bend


def member(name: str, content: bytes, *, link: bool = False) -> Bend:
    """Adds a member to the record's zip and corrects its hash."""

    def bend(path: Path) -> None:
        beside = path.with_name(f"{path.stem}.record.zarr.zip")
        info = zipfile.ZipInfo(name)
        info.external_attr = (0o120777 if link else 0o100644) << 16
        with zipfile.ZipFile(beside, "a") as archive:
            archive.writestr(info, content)
        at("hashes", "record", value=files.sha256(beside))(path)

    return bend


def bomb(path: Path) -> None:
    """A member that unpacks to far more than it weighs."""
    beside = path.with_name(f"{path.stem}.record.zarr.zip")
    about = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [60, 10**10],
        "data_type": "float64",
        "codecs": [{"name": "bytes"}],
    }
    with zipfile.ZipFile(beside, "a") as archive:
        archive.writestr("huge/zarr.json", json.dumps(about))
    at("hashes", "record", value=files.sha256(beside))(path)


def objects(path: Path) -> None:
    """An array of Python objects."""
    beside = path.with_name(f"{path.stem}.record.zarr.zip")
    about = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [60],
        "data_type": "object",
        "codecs": [{"name": "vlen-utf8"}],
    }
    with zipfile.ZipFile(beside, "a") as archive:
        archive.writestr("o/zarr.json", json.dumps(about))
    at("hashes", "record", value=files.sha256(beside))(path)


def pickled(path: Path) -> None:
    """A pickle under the record's name."""
    beside = path.with_name(f"{path.stem}.record.zarr.zip")
    beside.write_bytes(pickle.dumps({"a": 1}))
    at("hashes", "record", value=files.sha256(beside))(path)


def npz(path: Path) -> None:
    """A NumPy archive with an object array under the record's name."""
    beside = path.with_name(f"{path.stem}.record.zarr.zip")
    buffer = io.BytesIO()
    np.savez(buffer, a=np.array([{}], dtype=object))
    beside.write_bytes(buffer.getvalue())
    at("hashes", "record", value=files.sha256(beside))(path)


def linked(path: Path) -> None:
    """The record is a link to somebody else's."""
    beside = path.with_name(f"{path.stem}.record.zarr.zip")
    beside.rename(path.parent.parent / "elsewhere.zip")
    beside.symlink_to(path.parent.parent / "elsewhere.zip")


def entry_linked(path: Path) -> None:
    """The entry itself is a link."""
    path.rename(path.parent.parent / "elsewhere.json")
    path.symlink_to(path.parent.parent / "elsewhere.json")


def of_another(path: Path) -> None:
    """The best row's record with its hash."""
    arrays(lambda own: record.read(path.with_name("best.record.zarr.zip")))(path)


def of_another_with_scores(path: Path) -> None:
    """... and its scores: consistent in itself, so only a re-run can tell."""
    of_another(path)
    best = json.loads(path.with_name("best.json").read_text())
    at("metrics", value=best["metrics"])(path)


def seed_dropped(path: Path) -> None:
    """The worst seed left out."""
    at("training_seeds", value=json.loads(path.read_text())["training_seeds"][:2])(path)


def seed_bent(path: Path) -> None:
    """One seed's score a little better."""
    seeds = json.loads(path.read_text())["training_seeds"]
    seeds[1]["metrics"]["rmse.step1"] *= 0.98
    at("training_seeds", value=seeds)(path)


def hidden(path: Path) -> None:
    """A metric that is given, said to be declined."""
    kept = {
        name: value
        for name, value in json.loads(path.read_text())["metrics"].items()
        if name != "rmse.step1"
    }
    at("metrics", value=kept)(path)
    at("declined", value=["rmse.step1", "rmse.step2"])(path)


def copied(path: Path) -> None:
    """The best row's record under this one's name."""
    shutil.copy(
        path.with_name("best.record.zarr.zip"), path.with_name(f"{path.stem}.record.zarr.zip")
    )


def without_ids(path: Path) -> None:
    """A record that does not say which examples it is of."""
    record.write(path.with_name(f"{path.stem}.record.zarr.zip"), {"error": np.zeros((60, 2))})


def claimed_by(name: str) -> Bend:
    """Under another model's name, in the old place."""

    def bend(path: Path) -> None:
        at("model", value=f"climate/{name}")(path)
        at("id", value=f"climate/toy@3/{name}")(path)

    return bend


def fewer(own: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The hardest ten examples left out."""
    easy = np.sort(np.argsort(np.abs(own["error"]).sum(1))[:-10])
    return {name: value[easy] for name, value in own.items()}


CODE = {"distribution": "toy-models", "version": "1.0", "sha256": "0" * 64}
KINDS: dict[str, tuple[str, Bend, str, str]] = {
    # numbers
    "a better value": (
        "zero",
        at("metrics", "share_given", "value", value=0.99),
        "rescored",
        "metrics.share_given",
    ),
    "a value outside its interval": (
        "zero",
        at("metrics", "rmse.step1", "value", value=0.01),
        "static",
        "metrics.rmse.step1",
    ),
    "a better value with a shifted interval": (
        "zero",
        at("metrics", "rmse.step1", value={"value": 0.2, "ci95": [0.15, 0.25]}),
        "rescored",
        "metrics.rmse.step1: claimed 0.2, ",
    ),
    "an interval left out": (
        "zero",
        at("metrics", "rmse.step1", "ci95", value=None),
        "rescored",
        "metrics.rmse.step1.ci95",
    ),
    "an interval turned round": (
        "zero",
        at("metrics", "rmse.step1", "ci95", value=[9.0, 0.1]),
        "static",
        "metrics.rmse.step1",
    ),
    "NaN": (
        "zero",
        text('"repeats":', '"load_average": NaN, "repeats":'),
        "static",
        "NaN is not allowed",
    ),
    "infinity": (
        "zero",
        text('"repeats":', '"wall_seconds": Infinity, "repeats":'),
        "static",
        "Infinity is not allowed",
    ),
    "infinity by overflow": (
        "zero",
        lambda path: path.write_text(
            re.sub(r'"wall_seconds": [^,\n]*', '"wall_seconds": 1e999', path.read_text())
        ),
        "static",
        "cost.wall_seconds",
    ),
    "a number that is too large for a score": (
        "zero",
        at("cost", "flops_per_example", value=1e300),
        "static",
        "cost.flops_per_example",
    ),
    "a number of a thousand digits": (
        "zero",
        text('"repeats":', f'"n_params": {"9" * 1000}, "repeats":'),
        "static",
        "n_params",
    ),
    "a number of ten thousand digits": (
        "zero",
        text('"repeats":', f'"big": {"9" * 10000}, "repeats":'),
        "static",
        "digits",
    ),
    "a negative cost": (
        "zero",
        at("cost", "latency_ms_p50", value=-1),
        "static",
        "cost.latency_ms_p50",
    ),
    "a percentile below the median": (
        "zero",
        at("cost", "latency_ms_p95", value=0),
        "static",
        "cost.latency_ms_p95",
    ),
    "fewer parameters": ("line.toy", at("cost", "n_params", value=0), "static", "cost.n_params"),
    "a metric too many": (
        "zero",
        at("metrics", "applause", value={"value": 1.0, "ci95": None}),
        "static",
        "metrics.applause",
    ),
    "a bad metric hidden as declined": ("short", hidden, "rescored", "declined: rmse.step1"),
    # records
    "another row's record": ("zero", copied, "static", "hashes.record"),
    "another row's record with its hash": ("zero", of_another, "rescored", "metrics.rmse.step1"),
    "another row's record, hash and scores": (
        "zero",
        of_another_with_scores,
        "rerun",
        "metrics.rmse.step1",
    ),
    "predictions improved": (
        "zero",
        arrays(lambda own: own | {"error": own["error"] * 0.9}),
        "rescored",
        "metrics.rmse.step1",
    ),
    "examples reordered": (
        "zero",
        arrays(lambda own: {k: v[::-1] for k, v in own.items()}),
        "rerun",
        ".ci95",
    ),
    "examples renamed": (
        "zero",
        arrays(lambda own: own | {"example_id": np.char.add("x", own["example_id"])}),
        "rerun",
        "hashes.example_ids",
    ),
    "hard examples left out": ("zero", arrays(fewer), "static", "n_examples"),
    "hard examples left out, the number corrected": (
        "zero",
        lambda path: (arrays(fewer)(path), at("n_examples", value=50)(path)),
        "rescored",
        "metrics.rmse.step1",
    ),
    "no example ids": ("zero", without_ids, "static", "record: has no example_id"),
    "the record is a link": (
        "zero",
        linked,
        "static",
        "record: zero.record.zarr.zip does not lie beside",
    ),
    "the entry is a link": ("zero", entry_linked, "static", "zero.json: the entry is a link"),
    "the record is a pickle": (
        "zero",
        pickled,
        "static",
        "record: zero.record.zarr.zip is no readable zip",
    ),
    "the record is a NumPy archive of objects": ("zero", npz, "static", "record: member 'a.npy'"),
    "a pickle inside the record": (
        "zero",
        member("x.pkl", pickle.dumps([1])),
        "static",
        "record: member 'x.pkl'",
    ),
    "a path that leaves the record": (
        "zero",
        member("../../evil/zarr.json", b"{}"),
        "static",
        "record: member '../../evil/zarr.json'",
    ),
    "a link inside the record": (
        "zero",
        member("error/c/9", b"/etc/passwd", link=True),
        "static",
        "'error/c/9' is a link",
    ),
    "a bomb inside the record": (
        "zero",
        bomb,
        "static",
        "record: member 'huge/zarr.json' unpacks to",
    ),
    "objects inside the record": (
        "zero",
        objects,
        "static",
        "record: member 'o/zarr.json' is packed by vlen-utf8",
    ),
    "a record of another name": (
        "zero",
        at("record", value="best.record.zarr.zip"),
        "static",
        "record: best.record.zarr.zip must",
    ),
    "a path as record": (
        "zero",
        at("record", value="../best.record.zarr.zip"),
        "static",
        "record:",
    ),
    "a record at a plain http address": (
        "zero",
        at("record_source", value={"url": "http://example.org/r.zip", "bytes": 3}),
        "static",
        "record_source.url",
    ),
    "a path traversal in an address": (
        "zero",
        at("record_source", value={"url": "https://example.org/%2e%2e/r.zip", "bytes": 3}),
        "static",
        "record_source.url",
    ),
    # weights, code, spec
    "other weights": (
        "line.toy",
        at("hashes", "weights", 0, value="f" * 64),
        "static",
        "hashes.weights",
    ),
    "seeds dropped": ("line.toy", seed_dropped, "static", "training_seeds"),
    "a seed's score bent": ("line.toy", seed_bent, "rerun", "training_seeds[1].rmse.step1"),
    "another protocol": (
        "zero",
        at("hashes", "protocol", value="0" * 64),
        "static",
        "hashes.protocol: claimed 000",
    ),
    "hashes of files in place of the protocol's": (
        "zero",
        at(
            "hashes",
            value=dict.fromkeys(["task", "dataset_card", "example_ids", "record"], "0" * 64)
            | {"weights": []},
        ),
        "static",
        "hashes.protocol: Field required",
    ),
    "a version that does not exist": (
        "zero",
        lambda path: (
            at("task_version", value=4)(path),
            at("id", value="climate/toy@4/zero")(path),
        ),
        "static",
        "task_version",
    ),
    "code of a package for a baseline": (
        "zero",
        at("code", value=CODE),
        "static",
        "code: claimed toy-models",
    ),
    "code by nobody": ("line.toy", at("code", value=None), "static", "code: claimed None"),
    "code without a hash": (
        "line.toy",
        at("code", value={"distribution": "x", "version": "1"}),
        "static",
        "code.sha256",
    ),
    "code from both places": (
        "line.toy",
        at("code", value=CODE | {"file": "line.toy.py", "factory": "a:b"}),
        "static",
        "code",
    ),
    "code by a path": ("zero", at("code", value=CODE | {"file": "../x.py"}), "static", "code.file"),
    "weights at a plain http address": (
        "line.toy",
        at("code", "weights", 0, "urls", value=["http://example.org/w.safetensors"]),
        "static",
        "code.weights.0.urls",
    ),
    "weights without a hash": (
        "line.toy",
        lambda path: at(
            "code", "weights", value=[{"file": "w.safetensors", "bytes": 3, "seed": 0}]
        )(path),
        "static",
        "code.weights.0.sha256",
    ),
    "weights by a path that leaves the folder": (
        "line.toy",
        at("code", "weights", 0, "file", value="../w"),
        "static",
        "weights.0.file",
    ),
    # names and texts
    "another id": (
        "zero",
        at("id", value="climate/toy@3/best"),
        "static",
        "id is 'climate/toy@3/best'",
    ),
    "a path in the id": ("zero", at("model", value="climate/../../zero"), "static", "model"),
    "another's model": ("zero", claimed_by("best"), "static", "id: climate/toy@3/best must lie"),
    "a model that nobody ships": ("zero", claimed_by("mine"), "static", "model: climate/mine"),
    "another kind": ("zero", at("kind", value="solver"), "static", "kind"),
    "another title": (
        "zero",
        at("title", value="State of the art"),
        "static",
        "title: claimed State of the art",
    ),
    "another track": ("zero", at("track", value="easy"), "static", "track"),
    "HTML in the title": (
        "zero",
        at("title", value="<script>alert(1)</script>"),
        "static",
        "title: '<s' looks like HTML",
    ),
    "a script's address in the note": (
        "zero",
        at("provenance", "note", value="[x](javascript:alert(1))"),
        "static",
        "provenance.note",
    ),
    "an event handler in the platform": (
        "zero",
        at("environment", "platform", value='x" onload="a'),
        "static",
        "environment.platform",
    ),
    "HTML in a package's version": (
        "zero",
        at("environment", "packages", "jax", value="<b>"),
        "static",
        "environment.packages.jax",
    ),
    "HTML as a package's name": (
        "zero",
        at("environment", "packages", value={"<b>": "1"}),
        "static",
        "environment.packages.<b>",
    ),
    "text written right to left": (
        "zero",
        at("provenance", "command", value="zoo \u202e bench"),
        "static",
        "provenance.command",
    ),
    "a text without end": (
        "zero",
        at("provenance", "note", value="a" * 100_000),
        "static",
        "provenance.note",
    ),
    "a date in the future": (
        "zero",
        at("provenance", "created", value="2999-01-01T00:00:00Z"),
        "static",
        "provenance.created",
    ),
    # the file itself
    "a dirty checkout": (
        "zero",
        at("environment", "dirty", value=True),
        "static",
        "environment.dirty",
    ),
    "a verification of one's own": (
        "zero",
        at("verification", value={"ok": True}),
        "static",
        "verification",
    ),
    "a key that nobody knows": ("zero", at("approved", value=True), "static", "approved"),
    "a key given twice": (
        "zero",
        text('"schema_version": 1', '"schema_version": 1, "title": "x"'),
        "static",
        "key 'title' appears twice",
    ),
    "brackets without end": (
        "zero",
        lambda path: path.write_text("[" * 200_000),
        "static",
        "nested too deeply",
    ),
    "bytes that are no text": (
        "zero",
        lambda path: path.write_bytes(b"\xff\xfe{}"),
        "static",
        "decode",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_bent_entry_is_caught_and_the_field_named(folder, kind):
    name, bend, level, field = KINDS[kind]
    path = folder / f"{name}.json"
    assert verify.verify(path, level="static").ok
    bend(path)
    assert field in says(path, level)


def test_a_claim_that_fails_says_which_number_was_claimed_and_what_was_obtained(folder):
    path = folder / "zero.json"
    at("metrics", "rmse.step1", value={"value": 0.25, "ci95": [0.2, 0.3]})(path)
    result = verify.verify(path, level="rescored")
    pair = result.metrics["rmse.step1"]
    assert (
        f"metrics.rmse.step1: claimed 0.25, rescored gives {pair.obtained:.8g} (tolerance 1e-06)"
        in result.problems
    )
    assert not result.ok and result.largest_relative_difference > 0.1


def test_there_are_at_least_twenty_five_kinds():
    assert len(KINDS) >= 25
