"""Words nearly solve the published set and not the hard one; altered weights are refused."""

from __future__ import annotations

import pytest
from planted_motifs import TASKS

from zoo import files
from zoo.interfaces.task import load_task


def test_words_nearly_solve_the_published_set_and_not_the_hard_one():
    from zoo.scoring.stats import scores

    found = {}
    for name in TASKS:
        task = load_task(name)
        baseline = next(each for each in task.spec.baseline if each.id == "genomics/words")
        examples = task.examples()
        found[name] = scores(task, task.record(task.baseline(baseline)(examples.inputs), examples))[
            "auroc"
        ]
    assert found[TASKS[0]] > 0.95
    assert abs(found[TASKS[1]] - 0.5) < 0.05


def test_altered_word_weights_are_refused(monkeypatch, tmp_path):
    from zoo.genomics.motif_grammar import baselines

    monkeypatch.setattr(baselines, "FOLDER", tmp_path)
    with pytest.raises(files.FileMissing, match=r"--step words\.motif_grammar "):
        baselines.words(None, file="words.motif_grammar.safetensors", sha256="0" * 64)
    (tmp_path / "words.motif_grammar.safetensors").write_bytes(b"x")
    with pytest.raises(files.FileAltered, match="SHA-256"):
        baselines.words(None, file="words.motif_grammar.safetensors", sha256="0" * 64)
