"""From a model to a ready branch: the entry is written, checked as a reviewer checks it,
and re-runs from its files alone."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zoo import cards, files, registry
from zoo.commands import claims, review, submit, verify

FACTORY = '''
"""A forecast of somebody's own."""
import numpy as np

N_PARAMS = 1


class Half:
    n_params = N_PARAMS

    def __call__(self, inputs):
        return np.stack([inputs * 0.85, inputs * 0.85**2], axis=1)


def half(task):
    return Half()


def nothing(task):
    return None
'''


def git(repo: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    return subprocess.run(
        ["git", "-C", str(repo), *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def clone(toy, tmp_path, monkeypatch) -> Path:
    """The synthetic benchmark as a clone with a clean branch `main`; we stand in a folder
    beside it, which holds `mine.py`."""
    git(toy, "init", "-q", "-b", "main")
    git(toy, "config", "user.name", "Ada")
    git(toy, "config", "github.user", "ada")
    git(toy, "add", "-A")
    git(toy, "commit", "-qm", "all")
    work = tmp_path / "work"
    work.mkdir()
    (work / "mine.py").write_text(FACTORY)
    monkeypatch.chdir(work)
    return toy


def commit_entries(clone: Path) -> None:
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "entries")


def test_a_models_entry_is_ready_for_a_pull_request(clone, zoo_command):
    done = zoo_command("submit", "climate/toy", "--model", "climate/best")
    assert done.code == 0, done.err + done.out
    path = clone / "leaderboard/entries/climate/toy@3/best.json"
    entry = cards.read(path, cards.Entry)
    assert (
        entry.provenance.submitted_by == "github:ada"
        and entry.environment.commit == git(clone, "rev-parse", "HEAD").strip()
    )
    assert (
        entry.code is None
        and entry.provenance.command == "zoo submit climate/toy --model climate/best"
    )
    assert "checked: rerun; place 1 of 1 by rmse.step1, group a" in done.out
    commands = [line.strip() for line in done.out.splitlines() if line.strip().startswith("git ")]
    assert commands[0] == "git switch -c entry/toy-best"
    for command in commands[:3]:  # the last one pushes
        subprocess.run(command, shell=True, check=True, cwd=clone, capture_output=True)
    assert git(clone, "status", "--porcelain") == ""
    judged = review.review(clone, "main", author="github:ada")
    assert judged.problems == [] and judged.entries == [path]


@pytest.fixture
def nobody(clone, monkeypatch) -> Path:
    """The clone on a machine whose git knows nobody."""
    for name in ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL"):
        monkeypatch.delenv(f"GIT_{name}")
    for key in ("user.name", "github.user"):
        git(clone, "config", "--unset", key)
    git(clone, "config", "user.useConfigOnly", "true")  # never guess from the host's name
    return clone


def test_where_git_knows_nobody_the_option_is_named_before_anything_runs(nobody, zoo_command):
    import synthetic_task

    done = zoo_command("submit", "climate/toy", "--model", "climate/best")
    assert done.code == 1 and "Traceback" not in done.err
    assert "who submits? --submitted-by github:<login>" in done.err
    assert synthetic_task.calls == [] and not (nobody / "leaderboard/entries").exists()


def test_where_git_knows_nobody_the_printed_commands_introduce_them_first(nobody, zoo_command):
    done = zoo_command(
        "submit", "climate/toy", "--model", "climate/best", "--submitted-by", "github:ada"
    )
    assert done.code == 0, done.err + done.out
    commands = [line.strip() for line in done.out.splitlines() if line.strip().startswith("git ")]
    assert commands[1:3] == [
        'git config user.name "Your Name"',
        "git config user.email you@example.org",
    ]
    for command in commands[:-1]:  # the last one pushes
        subprocess.run(command, shell=True, check=True, cwd=nobody, capture_output=True)
    assert git(nobody, "status", "--porcelain") == ""


def test_a_plugins_model_says_which_package_it_comes_from(clone):
    done = submit.submit("climate/toy", "climate/line.toy")
    assert done.problems == [] and done.verification.ok
    entry = cards.read(done.entry, cards.Entry)
    assert (entry.code.distribution, entry.code.version, entry.code.factory) == (
        "toy-models",
        "1.0",
        None,
    )
    assert [weight.sha256 for weight in entry.code.weights] == entry.hashes.weights
    assert [seed.seed for seed in entry.training_seeds] == [0, 1, 2]


def test_without_the_plugin_its_entry_is_checked_as_far_as_files_go(clone, tmp_path):
    done = submit.submit("climate/toy", "climate/line.toy")
    shutil.rmtree(tmp_path / "plugins/toy_models-1.0.dist-info")
    import synthetic_task

    synthetic_task.forget_cards()
    assert registry.list_models() == []
    assert verify.verify(done.entry, level="rescored").ok
    with pytest.raises(
        files.FileMissing,
        match=r"package toy-models 1.0, which is not installed: pip install 'toy-models==1.0'",
    ):
        verify.verify(done.entry)


def test_another_version_of_the_plugin_is_caught(clone, tmp_path):
    done = submit.submit("climate/toy", "climate/line.toy")
    (tmp_path / "plugins/toy_models/more.py").write_text("x = 1\n")
    assert any("code.sha256: claimed" in problem for problem in verify.verify(done.entry).problems)


@pytest.mark.parametrize("written", ["mine:half", "mine.py:half"])
def test_a_factory_in_a_file_travels_with_its_entry(clone, written, monkeypatch):
    done = submit.submit(
        "climate/toy", written, name="half.mine", title="Half", submitted_by="github:ada"
    )
    assert done.problems == [] and [path.name for path in done.files] == [
        "half.mine.json",
        "half.mine.record.zarr.zip",
        "half.mine.py",
    ]
    entry = cards.read(done.entry, cards.Entry)
    assert (
        entry.cost.n_params == 1
        and entry.code.factory == "mine:half"
        and entry.kind == "model"
        and entry.title == "Half"
    )
    assert (clone / "leaderboard/entries/climate/toy@3/half.mine.py").read_text() == FACTORY
    (Path.cwd() / "mine.py").unlink()  # the entry's own files are enough
    sys.modules.pop("mine", None)
    assert verify.verify(done.entry, run_code=True).ok


def test_a_strangers_file_is_not_run_unless_one_says_so(clone, zoo_command):
    done = submit.submit("climate/toy", "mine:half")
    with pytest.raises(verify.CodeNotTrusted, match="which its submitter wrote: read it"):
        verify.verify(done.entry)
    assert verify.verify(done.entry, level="rescored").ok
    said = zoo_command("verify", done.entry)
    assert said.code == 1 and "--run-code" in said.out
    assert zoo_command("verify", done.entry, "--run-code").code == 0


def test_the_file_may_lie_in_the_clone_without_making_it_dirty(clone, monkeypatch):
    shutil.copy("mine.py", clone / "mine.py")
    monkeypatch.chdir(clone)
    done = submit.submit("climate/toy", "mine:half")
    assert done.problems == [] and not cards.read(done.entry, cards.Entry).environment.dirty
    (clone / "other.py").write_text("x = 1\n")
    with pytest.raises(ValueError, match="changes that are not committed"):
        submit.submit("climate/toy", "mine:half")


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("climate/bset", {}, "has no model or baseline 'climate/bset'; did you mean climate/best"),
        ("climate/best", {"name": "mine"}, "--name belongs to a `module:factory`"),
        ("no_such_module_here:f", {}, "there is no module 'no_such_module_here'"),
        ("gone.py:f", {}, "there is no file gone.py"),
        ("mine:half", {"name": "Half!"}, "name 'Half!' is not made of"),
        ("mine:half", {"name": "best"}, "climate/best is the name of another model"),
        ("mine:half", {"track": "core"}, None),
        ("mine:nothing", {}, "must return something that predicts"),
        ("mine:absent", {}, "mine.py has no 'absent'"),
    ],
)
def test_what_cannot_be_submitted_is_told(clone, model, options, said):
    if said is None:  # a track where the task has none is found by the static checks
        assert any(
            problem.startswith("track: 'core' is none")
            for problem in submit.submit("climate/toy", model, **options).problems
        )
        return
    with pytest.raises(
        (ValueError, ImportError, KeyError), match=said.replace("`", ".").replace("(", r"\(")
    ):
        submit.submit("climate/toy", model, **options)


def test_an_installed_wheel_is_no_clone(toy):
    with pytest.raises(ValueError, match="is no clone of the project"):
        submit.submit("climate/toy", "climate/best")


def test_a_large_record_is_fetched_by_its_hash(clone, tmp_path, monkeypatch):
    done = submit.submit("climate/toy", "climate/best")
    beside = done.entry.with_name("best.record.zarr.zip")
    content = json.loads(done.entry.read_text())
    content["record_source"] = {
        "url": "https://example.org/r/best.zip",
        "bytes": beside.stat().st_size,
    }
    done.entry.write_text(json.dumps(content))
    mirror = tmp_path / "mirror/example.org/r"
    mirror.mkdir(parents=True)
    shutil.move(beside, mirror / "best.zip")
    assert any(
        problem.startswith("record_source: ") for problem in verify.verify(done.entry).problems
    )
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    assert verify.verify(done.entry).ok
    (mirror / "best.zip").write_bytes((mirror / "best.zip").read_bytes()[:-1] + b"x")
    assert any("was altered" in problem for problem in verify.verify(done.entry).problems)


# ------------------------------------------------------------------- what a pull request may change


def change_in_branch(clone: Path, change) -> review.Review:
    """Main has an entry of Bob's; Ada's branch brings one of hers and one more change."""
    submit.submit("climate/toy", "climate/zero", submitted_by="github:bob")
    commit_entries(clone)
    git(clone, "switch", "-qc", "ada")
    submit.submit("climate/toy", "mine:half", submitted_by="github:ada")
    change(clone)
    git(clone, "add", "-A", "-f")
    git(clone, "commit", "-qm", "mine")
    return review.review(clone, "main", author="github:ada")


BOB, ADA = "leaderboard/entries/climate/toy@3/zero", "leaderboard/entries/climate/toy@3/half"


def edit(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def forged(clone: Path) -> None:
    result = verify.verify(clone / f"{ADA}.json", level="static")
    verify.write(result, clone / "leaderboard/verified")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda c: edit(c / f"{BOB}.json", '"title": "Zero"', '"title": "Nil"'),
            f"{BOB}.json: edited; it is an entry of github:bob",
        ),
        (lambda c: (c / f"{BOB}.json").unlink(), f"{BOB}.json: deleted; entries stay"),
        (
            lambda c: shutil.copy(c / f"{ADA}.record.zarr.zip", c / f"{BOB}.record.zarr.zip"),
            f"{BOB}.record.zarr.zip: edited; ",
        ),
        (
            forged,
            (
                "leaderboard/verified/climate/toy@3/half.json: added; verifications are written "
                "by the maintainers"
            ),
        ),
        (
            lambda c: edit(c / "benchmarks/climate/toy.toml", "A toy", "A  toy"),
            "benchmarks/climate/toy.toml: edited; a pull",
        ),
        (
            lambda c: (c / "leaderboard/entries/climate/toy@3/x.pkl").write_bytes(b"\x80\x04N."),
            "x.pkl: added; an entry is",
        ),
        (
            lambda c: (c / "leaderboard/entries/climate/toy@3/half.safetensors").write_bytes(
                b"0" * 9
            ),
            "half.safetensors: added; an entry is",
        ),
        (
            lambda c: (c / f"{ADA}.record.zarr.zip").write_bytes(b"\x80\x04]q\x00."),
            f"{ADA}.record.zarr.zip: is a pickle",
        ),
        (
            lambda c: os.symlink("/etc/passwd", c / "leaderboard/entries/climate/toy@3/link.json"),
            "link.json: is a symbolic link",
        ),
        (lambda c: (c / f"{ADA}.json").chmod(0o755), f"{ADA}.json: is executable"),
        (
            lambda c: edit(c / f"{ADA}.json", "github:ada", "github:bob"),
            "provenance.submitted_by: claimed github:bob, the pull request is by",
        ),
        (
            lambda c: edit(c / f"{ADA}.json", git(c, "rev-parse", "HEAD").strip(), "f" * 40),
            "environment.commit: ffff",
        ),
        (
            lambda c: (c / "leaderboard/entries/climate/toy@3/zero.py").write_text("x = 1\n"),
            "zero.py: no field of the entry names it",
        ),
        (
            lambda c: (c / "leaderboard/entries/climate/toy@3/gone.py").write_text("x = 1\n"),
            "toy@3/gone: has no entry",
        ),
        (
            lambda c: (c / "leaderboard/entries/climate/toy@3/Best.json").write_text("{}"),
            "Best.json: added; an entry is",
        ),
        (
            lambda c: (c / "conftest.py").write_text("import os\n"),
            "conftest.py: added; a pull request that brings",
        ),
    ],
)
def test_a_pull_request_that_reaches_further_is_refused(clone, change, said):
    judged = change_in_branch(clone, change)
    assert any(said in problem for problem in judged.problems), judged.problems


def test_a_pull_request_with_its_own_entry_alone_is_taken(clone, zoo_command):
    judged = change_in_branch(clone, lambda c: None)
    assert judged.problems == [] and [path.name for path in judged.entries] == ["half.json"]
    done = zoo_command("verify", "--diff", "main", "--author", "github:ada")
    assert (
        done.code == 0
        and "3 changed files, 1 entries" in done.out
        and "ok     climate/toy@3/half: rescored" in done.out
    )
    assert zoo_command("verify", "--diff", "main", "--author", "github:eve").code == 1


def test_who_made_an_entry_may_replace_it(clone):
    submit.submit("climate/toy", "mine:half", submitted_by="github:ada")
    commit_entries(clone)
    git(clone, "switch", "-qc", "again")
    edit(Path("mine.py"), "N_PARAMS = 1", "N_PARAMS = 2")
    assert submit.submit("climate/toy", "mine:half", submitted_by="github:ada").problems == []
    commit_entries(clone)
    assert review.review(clone, "main", author="github:ada").problems == []
    assert any(
        "edited; it is an entry of github:ada" in each
        for each in review.review(clone, "main", author="github:eve").problems
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "zoo/climate/weights/m.toml",
            'weights = [{file = "a.safetensors", bytes = 1, seed = 0}]',
            "m.toml is no valid ModelCard",
        ),
        ("zoo/climate/weights/m.ckpt", "x", "may carry a pickle"),
        ("leaderboard/verified/climate/toy@3/zero.json", "{}", "verifications are written by"),
    ],
)
def test_a_pull_request_of_code_is_looked_at_too(clone, name, content, said):
    git(clone, "switch", "-qc", "code")
    path = clone / name
    path.parent.mkdir(parents=True)
    path.write_text(content)
    commit_entries(clone)
    assert any(said in problem for problem in review.review(clone, "main").problems)


@pytest.mark.parametrize(
    ("urls", "said"),
    [
        ("[]", "neither beside the card nor at an https:// address"),
        ('["http://example.org/m.safetensors"]', "is not a plain https:// address"),
        ('["file:///etc/passwd"]', "is not a plain https:// address"),
        ('["https://example.org/../m.safetensors"]', "is not a plain https:// address"),
    ],
)
def test_weights_come_from_https_addresses(clone, tmp_path, urls, said):
    git(clone, "switch", "-qc", "weights")
    card = (
        (tmp_path / "plugins/toy_models/line.toy.toml")
        .read_text()
        .replace("climate/line.toy", "climate/m.toy")
    )
    path = clone / "zoo/climate/weights/m.toy.toml"
    path.parent.mkdir(parents=True)
    path.write_text(
        card.replace('file = "line.seed0.safetensors"', f'file = "m.safetensors"\nurls = {urls}')
    )
    commit_entries(clone)
    assert any(said in problem for problem in review.review(clone, "main").problems)


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        (b"other bytes", "shared.sha256 of common.safetensors is not that of the file"),
        (None, "shared.file common.safetensors is neither beside the card nor at an https:// addr"),
    ],
)
def test_what_weights_share_is_looked_at_like_them(clone, tmp_path, beside, said):
    git(clone, "switch", "-qc", "weights")
    card = (tmp_path / "plugins/toy_models/line.toy.toml").read_text()
    shared = f'[[shared]]\nfile = "common.safetensors"\nsha256 = "{"0" * 64}"\nbytes = 3\n'
    path = clone / "zoo/climate/weights/m.toy.toml"
    path.parent.mkdir(parents=True)
    path.write_text(
        card.replace("climate/line.toy", "climate/m.toy").replace(
            "[training]", f"{shared}\n[training]"
        )
    )
    if beside is not None:
        path.with_name("common.safetensors").write_bytes(beside)
    commit_entries(clone)
    assert any(said in problem for problem in review.review(clone, "main").problems)


# ---------------------------------------------------------------------------------- after the merge


def test_a_merged_entry_waits_until_its_re_run_is_taken_in(clone, tmp_path, zoo_command):
    done = submit.submit("climate/toy", "climate/best")
    commit_entries(clone)
    assert json.loads(zoo_command("verify", "--pending").out) == ["climate/toy@3/best"]
    assert zoo_command("verify", done.entry, "--write", tmp_path / "left").code == 0
    taken = zoo_command("verify", "--accept", tmp_path / "left")
    assert taken.code == 0 and "wrote" in taken.out
    assert review.pending(clone) == []
    done.entry.write_text(done.entry.read_text() + "\n")
    assert review.pending(clone) == ["climate/toy@3/best"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v.update(entry_sha256="0" * 64), "entry_sha256: claimed 0000"),
        (lambda v: v.update(level="static"), "level: claimed static, it is rerun"),
        (
            lambda v: v["metrics"].pop("rmse.step1"),
            "metrics.rmse.step1: claimed ok, but not in both",
        ),
        (
            lambda v: v["metrics"]["rmse.step1"].update(obtained=9.0),
            "metrics.rmse.step1.obtained: claimed ok, but",
        ),
        (
            lambda v: v["metrics"]["rmse.step1"].update(claimed=9.0, obtained=9.0),
            "metrics.rmse.step1.claimed: 9, the entry says",
        ),
        (lambda v: v.update(problems=["all is well"]), "ok: claimed although problems are listed"),
        (lambda v: v.update(problems=["<script>"], ok=False), "problems[0]: '<s' looks like HTML"),
        (lambda v: v.update(extra=1), "Extra inputs are not permitted"),
    ],
)
def test_a_forged_verification_is_not_taken_in(clone, tmp_path, change, said):
    done = submit.submit("climate/toy", "climate/best")
    path = verify.write(done.verification, tmp_path / "left")
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    written, refused = review.accept(tmp_path / "left", ["climate/toy@3/best"])
    assert written == [] and any(said in problem for problem in refused), refused
    assert not (clone / "leaderboard/verified").exists()


def test_a_verification_that_nobody_asked_for_is_not_taken_in(clone, tmp_path):
    done = submit.submit("climate/toy", "climate/best")
    verify.write(done.verification, tmp_path / "left")
    (tmp_path / "left/climate/toy@3/link.json").symlink_to(done.entry)
    written, refused = review.accept(tmp_path / "left", ["climate/toy@3/zero"])
    assert written == []
    assert "climate/toy@3/best.json: no entry that was to be re-run" in refused
    assert "climate/toy@3/link.json: is a link or no plain file" in refused


def test_every_text_of_an_entry_is_looked_at(clone):
    done = submit.submit("climate/toy", "climate/best")
    content = json.loads(done.entry.read_text())
    free = [
        ("title",),
        ("provenance", "command"),
        ("provenance", "submitted_by"),
        ("provenance", "note"),
        ("environment", "platform"),
        ("environment", "accelerator"),
        ("environment", "xla_flags"),
        ("environment", "python"),
        ("environment", "packages", "jax"),
    ]
    for keys in free:
        bent = json.loads(json.dumps(content))
        inner = bent
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = "<img src=x onerror=alert(1)>"
        problems = claims.entry_problems(cards.parse(bent, cards.Entry, where="bent"))
        assert any(problem.startswith(f"{'.'.join(keys)}: ") for problem in problems), keys


def test_each_job_speaks_of_its_own_entry_alone(clone, tmp_path, zoo_command):
    """A re-run may execute a stranger's code, which may write a verification of somebody
    else's entry."""
    for name in ("best", "zero"):
        done = submit.submit("climate/toy", f"climate/{name}")
        verify.write(done.verification, tmp_path / "left/job-0")
    expected = json.dumps(["climate/toy@3/best", "climate/toy@3/zero"])
    sums = tmp_path / "accepted.sha256"
    taken = zoo_command(
        "verify", "--accept", tmp_path / "left", "--expected", expected, "--checksums", sums
    )
    # the one that was taken in is attested, as `sha256sum` would write it
    kept = "leaderboard/verified/climate/toy@3/best.json"
    assert (
        sums.read_text() == f"{hashlib.sha256((clone / kept).read_bytes()).hexdigest()}  {kept}\n"
    )
    assert (
        taken.code == 1
        and "REFUSED job-0/climate/toy@3/zero.json: no entry that was to be re-run" in taken.out
    )
    assert review.pending(clone) == ["climate/toy@3/zero"]
    (tmp_path / "left/job-7").mkdir()
    assert (
        "job-7: is not what one of 2 jobs left"
        in zoo_command("verify", "--accept", tmp_path / "left", "--expected", expected).out
    )
