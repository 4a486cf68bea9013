"""Audits: what is planted is found, in the counts of a plain loop; what is not there is not
found; the figures of GUE come out."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from audited_tables import other_strand, random_texts
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rich.console import Console
from sklearn.metrics import matthews_corrcoef

from zoo.commands import audit as front
from zoo.genomics.audit import audit, correlation, stump
from zoo.genomics.data import LabelledSequences, signatures
from zoo.genomics.data import sequences as dna


def table(texts: list[str], labels: list[int] | None = None) -> LabelledSequences:
    values = None if labels is None else np.array(labels, np.int64)
    return LabelledSequences(
        dna.encode_all(texts),
        values,
        tuple(map(str, range(len(texts)))),
        () if labels is None else ("0", "1"),
    )


def swapped(text: str) -> str:
    """The same dinucleotides in another order: two stretches between equal dinucleotides
    change places (Kandel et al. 1996)."""
    for first in range(len(text)):
        for second in range(first + 1, len(text)):
            for third in range(second + 1, len(text)):
                if text[first] == text[second] == text[third]:
                    out = (
                        text[: first + 1]
                        + text[second + 1 : third + 1]
                        + text[first + 1 : second + 1]
                        + text[third + 1 :]
                    )
                    if out != text:
                        return out
    raise AssertionError(text)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1)), min_size=2, max_size=40))
def test_the_cut_is_the_best_of_all_cuts(pairs):
    value, label = map(np.array, zip(*pairs, strict=True))
    said = stump(value.astype(float), label, value.astype(float), 2)
    best = max(
        max(
            np.mean((value > cut) == label),
            np.mean((value <= cut) == label),
            label.mean(),
            1 - label.mean(),
        )
        for cut in np.unique(value)
    )
    assert np.mean(said == label) == pytest.approx(best)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_correlation_is_scikit_learns(pairs):
    predicted, label = map(np.array, zip(*pairs, strict=True))
    assume(len({*predicted, *label}) > 1)  # scikit-learn warns of a single class
    assert correlation(predicted, label, 3) == pytest.approx(
        matthews_corrcoef(label, predicted), abs=1e-12
    )


def test_what_is_planted_is_found():
    train, test, dev = random_texts(200), random_texts(100), random_texts(50)
    labels = [i % 2 for i in range(200)]
    train[10] = train[0]  # a repeat with the same label
    train[11] = train[2]  # and one with another
    train[12] = other_strand(train[4])
    test[0], test[1], test[2] = train[6], train[7], other_strand(train[8])
    test[3] = train[20][:45] + "ACGTACGTACGTACG"  # 45 common bases
    test[4] = "A" * 15 + other_strand(train[21])[:45]
    test_labels = [i % 2 for i in range(100)]
    test_labels[0], test_labels[1] = labels[6], 1 - labels[7]
    dev[0] = train[30]
    dev[1] = test[50]
    report = audit(
        table(train, labels),
        table(dev, [i % 2 for i in range(50)]),
        table(test, test_labels),
        name="mine",
    )
    found = {
        "copies.within_train": 2,
        "copies.within_train_strands": 3,
        "copies.conflicting": 1,
        "copies.test_in_train": 2,
        "copies.test_in_train_strands": 3,
        "copies.test_conflicting": 1,
        "copies.dev_in_train": 1,
        "copies.test_in_dev": 1,
        "words.test_in_train": 5,
        "words.dev_in_train": 1,
    }
    assert {check: report[check].value for check in found} == found
    assert (
        report["copies.test_in_train"].verdict == "leak"
        and report["copies.test_in_train"].of == 100
    )
    assert report.sizes == {"train": 200, "dev": 50, "test": 100} and report.verdict == "leak"
    with pytest.raises(KeyError, match=r"it has classes\.train"):
        report["nothing"]


def test_nothing_is_found_in_random_sequences():
    report = audit(
        table(random_texts(300), [0, 1] * 150), None, table(random_texts(100), [0, 1] * 50)
    )
    assert report.verdict == "ok", [each for each in report.findings if each.verdict != "ok"]


def test_shuffles_on_both_sides_are_a_leak():
    originals = random_texts(120)
    shuffles = [swapped(text) for text in originals]
    composed = signatures.dinucleotides(dna.encode_all(originals), dna.encode_all(shuffles))
    np.testing.assert_array_equal(*composed)
    train = table(originals[:60] + shuffles[60:], [1] * 60 + [0] * 60)
    test = table(shuffles[:60] + originals[60:], [0] * 60 + [1] * 60)
    report = audit(train, None, test)
    assert (
        report["dinucleotides.test_found"].value
        == report["dinucleotides.test_other_label"].value
        == 120
    )
    assert (
        report["dinucleotides.test_mcc"].value == 1.0
        and report["dinucleotides.test_found"].verdict == "leak"
    )
    assert report["copies.test_in_train"].value == 0  # no other check sees them


def test_length_that_tells_is_a_leak():
    texts = random_texts(50, 40) + random_texts(50, 60)
    report = audit(
        table(texts, [0] * 50 + [1] * 50), None, table(texts[25:75], [0] * 25 + [1] * 25)
    )
    assert (
        report["one_feature.length"].value == 1.0 and report["one_feature.length"].verdict == "leak"
    )


def test_gc_alone_is_scored_on_test():
    rng = np.random.default_rng(0)
    texts = [
        "".join(rng.choice(list("ACGT"), 60, p=p))
        for p in ([0.35, 0.15, 0.15, 0.35], [0.15, 0.35, 0.35, 0.15])
        for _ in range(80)
    ]
    labels = [0] * 80 + [1] * 80
    order = rng.permutation(160)
    train, test = ([texts[i] for i in part] for part in (order[:100], order[100:]))
    report = audit(
        table(train, [labels[i] for i in order[:100]]),
        None,
        table(test, [labels[i] for i in order[100:]]),
    )
    gc = np.array([(text.count("G") + text.count("C")) / 60 for text in test])
    truth = np.array([labels[i] for i in order[100:]])
    best = max(matthews_corrcoef(truth, gc > cut) for cut in np.unique(gc))
    assert (
        0.8 < report["one_feature.gc"].value <= round(best, 4)
        and report["one_feature.gc"].verdict == "leak"
    )


def test_a_table_without_labels_or_without_test_is_looked_at():
    report = audit(table(random_texts(20)))
    assert (
        "copies.within_train" in report
        and "one_feature.gc" not in report
        and "copies.conflicting" not in report
    )
    report = audit(table(random_texts(20), [0, 1] * 10))
    assert "there is no test" in report["one_feature.gc"].explanation


def test_files_of_a_user(tmp_path):
    texts = random_texts(30)
    for name, part in (("a_train.csv", texts[:20]), ("a_test.csv", [*texts[:5], *texts[20:25]])):
        (tmp_path / name).write_text(
            "sequence,label\n" + "".join(f"{text},{i % 2}\n" for i, text in enumerate(part))
        )
    paths = [str(tmp_path / "a_test.csv"), str(tmp_path / "a_train.csv")]  # as a shell sorts them
    (report,) = front.run(paths)
    assert report.sizes == {"train": 20, "test": 10} and report["copies.test_in_train"].value == 5
    text = io.StringIO()
    front.render(report, Console(file=text, width=200))
    assert "5 of 10 (50.0 %)" in text.getvalue() and "found a leak" in text.getvalue()
    (again,) = json.loads(front.to_json([report]))
    assert again["verdict"] == "leak" and again["findings"][0]["check"] == "classes.train"
    with pytest.raises(
        front.AuditError, match=r"columns sequence, label.*--time NAME.*--sequence NAME"
    ):
        list(front.run(paths, options={"sequence": "dna"}))
    with pytest.raises(ValueError, match="4 files"):
        list(front.run(paths * 2))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["dev.csv", "test.csv", "train.csv"], ["train.csv", "dev.csv", "test.csv"]),
        (["x.test.fna", "x.train.fna"], ["x.train.fna", "x.test.fna"]),
        (["b.csv", "a.csv"], ["b.csv", "a.csv"]),
        (["test.csv", "mine.csv"], ["test.csv", "mine.csv"]),
        (["valid.csv", "test.csv"], ["valid.csv", "test.csv"]),
        (["trainer.csv", "test.csv"], ["trainer.csv", "test.csv"]),
    ],
)
def test_file_names_that_say_their_split(given, expected):
    assert front.by_split(given) == expected


def test_names_that_are_wrong():
    from zoo.registry import UnknownName

    with pytest.raises(UnknownName, match="did you mean genomics/gue"):
        list(front.run(["genomics/gou"]))
    with pytest.raises(front.AuditError, match="has no subsets"):
        list(front.run(["climate/enso:x"]))
    with pytest.raises(front.AuditError, match="no audit of its own"):
        list(front.run(["particle_physics/golden"]))
    with pytest.raises(front.AuditError, match="is a task; audit its data set"):
        list(front.run(["particle_physics/top_tagging"]))
    with pytest.raises(front.AuditError, match="name a data set"):
        list(front.run([]))
    with pytest.raises(front.AuditError, match="one after the other"):
        list(front.run([__file__, "genomics/gue"]))
    with pytest.raises(front.AuditError, match="say --kind"):
        list(front.run([__file__]))
    with pytest.raises(front.AuditError, match="there are series, sequences, events"):
        list(front.run([__file__], kind="text"))


PUBLISHED = {
    # repeats in train, with two labels, dev in train, test in train, of them with another
    # label, 31-mers, CpG, GC
    "tf_0": (8, 0, 1, 0, 0, 94, 0.403, -0.004),
    "tf_1": (0, 0, 0, 1, 0, 100, 0.464, 0.008),
    "tf_2": (185, 0, 19, 0, 0, 69, 0.296, 0.0),
    "tf_4": (3789, 0, 358, 0, 0, 90, 0.386, -0.004),
    "mouse_0": (0, 0, 0, 0, 0, 4, -0.045, -0.071),
    "mouse_2": (0, 0, 0, 0, 0, 96, -0.073, -0.007),
    "mouse_4": (0, 0, 0, 0, 0, 8, -0.024, -0.028),
    "prom_core_all": (148, 40, 54, 43, 6, 1053, 0.217, 0.399),
    "prom_core_notata": (114, 34, 29, 30, 6, 983, 0.225, 0.424),
    "prom_core_tata": (57, 12, 8, 16, 1, 36, 0.196, 0.337),
    "prom_300_tata": (56, 10, 14, 6, 0, 77, 0.098, 0.089),
}


CHECKS = (
    "copies.within_train",
    "copies.conflicting",
    "copies.dev_in_train",
    "copies.test_in_train",
    "copies.test_conflicting",
    "words.test_in_train",
    "one_feature.cpg",
    "one_feature.gc",
)


@pytest.mark.parametrize(
    "subset", ["mouse_2", "prom_core_tata", pytest.param("tf_4", marks=pytest.mark.slow)]
)
def test_the_table_of_the_datasheet_comes_out(mirror_file, subset):
    for split in ("train", "dev", "test"):
        mirror_file("genomics/gue", f"{subset}.{split}.csv")
    (report,) = front.run([f"genomics/gue:{subset}"])
    found = tuple(report[check].value for check in CHECKS)
    assert found[:6] == PUBLISHED[subset][:6]
    assert found[6:] == pytest.approx(PUBLISHED[subset][6:], abs=6e-4)


def test_the_datasheet_says_what_the_audit_finds():
    """The rows of `datasets/genomics/gue/README.md` are those that this file checks."""
    from zoo import files

    sheet = (files.share() / "datasets/genomics/gue/README.md").read_text(encoding="utf-8")
    lines = [
        line for line in sheet.splitlines() if line.startswith("| `") and line.count("|") == 10
    ]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    told = {row[0].strip("`"): tuple(float(cell) for cell in row[1:]) for row in rows}
    assert {name: told[name] for name in PUBLISHED} == {
        name: tuple(map(float, row)) for name, row in PUBLISHED.items()
    }


def test_front_door_knows_every_audited_data_set():
    from zoo import registry

    assert set(front.audited()) <= set(registry.datasets())
    for code, _ in front.audited().values():
        assert callable(registry.resolve(code))
    assert Path(front.__file__).name == "audit.py"
