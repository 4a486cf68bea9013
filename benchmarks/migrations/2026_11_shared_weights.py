"""What all seeds of a model have in common is stored once. Run once; kept as the proof of what it
did.

    python benchmarks/migrations/2026_11_shared_weights.py OLD [--check]

OLD is a commit with the weight files as they were. For each model of `LAYOUTS` every seed's file
of that commit, which must be the one that its card names by hash, is written anew
(`zoo.pretrained.weights.save`), read, and compared with the old one: names, types, shapes and
bits of all parameters and transforms, and the header's facts, must be equal. Then card, entries
(`hashes.weights`, nothing else) and their verifications (`entry_sha256`) follow. A second run
proves the same and changes nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from zoo import files, registry
from zoo.cards import Layout, ModelCard, read
from zoo.pretrained import weights

LAYOUTS = {
    "genomics/sequence_encoder.gue": Layout(
        shared=["shared."],
        shared_file="sequence_encoder.gue.shared.safetensors",
        stacked="networks.",
    ),
    "particle_physics/epic_flow.dijets": Layout(
        shared=["transforms.table"], shared_file="conditions.dijets.safetensors"
    ),
    "particle_physics/epic_gan.dijets": Layout(
        shared=["transforms.table"], shared_file="conditions.dijets.safetensors"
    ),
}
STORAGE = "float16"


@dataclasses.dataclass(frozen=True)
class Renewed:
    """One file of weights, before and after."""

    name: str
    before: tuple[str, int]
    after: tuple[str, int]
    content: bytes


def at(revision: str, path: Path) -> bytes:
    """A file of this repository as it was."""
    inside = path.relative_to(files.share()).as_posix()
    command = ["git", "-C", str(files.share()), "show", f"{revision}:{inside}"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def prove_equal(old: Path, new: Path) -> None:
    """Raises where anything differs that `zoo.pretrained.weights.load` gives."""
    one, other = weights.load(old), weights.load(new)
    assert one[2] == other[2], (new, one[2], other[2])
    for before, after in zip(one[:2], other[:2], strict=True):
        assert before.keys() == after.keys(), (new, before.keys() ^ after.keys())
        for name, value in before.items():
            same = value.dtype == after[name].dtype and value.shape == after[name].shape
            assert same and value.tobytes() == after[name].tobytes(), (new, name)


def renew(model: str, layout: Layout, revision: str, scratch: Path) -> tuple[list[Renewed], Path]:
    """A model's seeds laid out anew in a folder, each proved equal, and the shared file."""
    card = registry.path_of(model, "model")
    (scratch / "old.toml").write_bytes(at(revision, card))
    shared = scratch / str(layout.shared_file)
    found = []
    for weight in read(scratch / "old.toml", ModelCard).weights:
        old, new = scratch / "old", scratch / weight.file
        old.write_bytes(at(revision, card.with_name(weight.file)))
        assert files.sha256(old) == weight.sha256, f"{weight.file} at {revision} is not its card's"
        parameters, transforms, facts = weights.load(old)
        if not shared.exists():
            beginnings = tuple(layout.shared)
            weights.save(
                shared,
                {k: v for k, v in parameters.items() if k.startswith(beginnings)},
                transforms={
                    k: v
                    for k, v in transforms.items()
                    if f"{weights.TRANSFORMS}{k}".startswith(beginnings)
                },
                dtype=STORAGE,
            )
        weights.save(
            new,
            parameters,
            transforms=transforms,
            metadata=facts,
            dtype=STORAGE,
            shared=shared,
            stacked=layout.stacked,
        )
        prove_equal(old, new)
        before, after = (weight.sha256, weight.bytes), (files.sha256(new), new.stat().st_size)
        found.append(Renewed(weight.file, before, after, new.read_bytes()))
        print(
            f"{weight.file}: {before[1]} -> {after[1]} bytes, {len(parameters)} parameters and "
            f"{len(transforms)} transforms equal"
        )
    return found, shared


def of_card(text: str, seeds: list[Renewed], shared: Path) -> str:
    """A card's text with the new hashes and sizes, and the shared file."""
    for seed in seeds:
        old = f'file = "{seed.name}"\nsha256 = "{seed.before[0]}"\nbytes = {seed.before[1]}\n'
        assert text.count(old) == 1, seed.name
        new = f'file = "{seed.name}"\nsha256 = "{seed.after[0]}"\nbytes = {seed.after[1]}\n'
        text = text.replace(old, new)
    block = (
        f'[[shared]]\nfile = "{shared.name}"\nsha256 = "{files.sha256(shared)}"\n'
        f"bytes = {shared.stat().st_size}\n\n"
    )
    assert text.count("\n[expected]\n") == 1
    return text.replace("\n[expected]\n", f"\n{block}[expected]\n")


def of_entries(seeds: list[Renewed], *, write: bool) -> None:
    """Lets entries and verifications that name old hashes name the new ones."""
    sys.path.insert(0, str(Path(__file__).parent))
    sidecar = importlib.import_module("2026_11_protocol_hash").sidecar
    board = files.share() / "leaderboard"
    for path in sorted((board / "entries").rglob("*.json")):
        text = before = path.read_text(encoding="utf-8")
        for seed in seeds:
            assert text.count(seed.before[0]) == json.loads(before)["hashes"]["weights"].count(
                seed.before[0]
            ), f"{path} names the hash of {seed.name} elsewhere, too"
            text = text.replace(seed.before[0], seed.after[0])
        if text != before:
            verified = board / "verified" / path.relative_to(board / "entries")
            followed = sidecar(verified, before.encode(), text.encode(), write=write)
            if write:
                files.write_text(path, text)
            print(f"{path.relative_to(board)}: hashes.weights; verification: {followed}")


def main() -> None:
    """All models, one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revision", metavar="OLD", help="commit with the files as they were")
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for model, layout in LAYOUTS.items():
            seeds, shared = renew(model, layout, options.revision, Path(folder))
            card = registry.path_of(model, "model")
            if read(card, ModelCard).shared:
                now = {card.with_name(each.name): each.content for each in seeds}
                now[card.with_name(shared.name)] = shared.read_bytes()
                assert all(path.read_bytes() == content for path, content in now.items()), model
                print(f"{model} is laid out so already")
                continue
            text = of_card(card.read_text(encoding="utf-8"), seeds, shared)
            if not options.check:
                for seed in seeds:
                    card.with_name(seed.name).write_bytes(seed.content)
                files.copy(shared, card.with_name(shared.name))
                files.write_text(card, text)
            of_entries(seeds, write=not options.check)


if __name__ == "__main__":
    sys.exit(main())
