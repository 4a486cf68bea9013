"""Models go to the Hub and come back with the same bytes, over real HTTP to a server that
speaks the Hub's API."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants

from zoo import cards, files, registry
from zoo.commands import hub, verify
from zoo.commands.bench import run as bench
from zoo.commands.bench.entry import write_entries

COMMIT = "c" * 40


class FakeHub(ThreadingHTTPServer):
    """Repositories in memory: `files[repo][path]`; `log` has every request."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.log: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeHub

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_POST(self) -> None:
        self.server.log.append(f"POST {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        parts = self.path.strip("/").split("/")
        if parts[:3] == ["api", "repos", "create"]:
            about = json.loads(body)
            repo = f"{about.get('organization') or 'ada'}/{about['name']}"
            self.server.files.setdefault(repo, {})
            return self._answer(
                200,
                json.dumps({"url": f"{self.root}/{repo}", "name": repo}).encode(),
                Content_Type="application/json",
            )
        if parts == ["api", "validate-yaml"]:  # asked before a README is uploaded
            assert json.loads(body)["content"].startswith("---\nlicense: ")
            return self._answer(
                200, b'{"errors": [], "warnings": []}', Content_Type="application/json"
            )
        repo, action = "/".join(parts[2:4]), parts[4]
        if action == "preupload":
            given = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            return self._answer(
                200, json.dumps({"files": given}).encode(), Content_Type="application/json"
            )
        assert action == "commit"
        for line in body.splitlines():
            item = json.loads(line)
            if item["key"] == "file":
                self.server.files[repo][item["value"]["path"]] = base64.b64decode(
                    item["value"]["content"]
                )
        made = {
            "commitUrl": f"{self.root}/{repo}/commit/{COMMIT}",
            "commitOid": COMMIT,
            "commitMessage": "x",
        }
        return self._answer(200, json.dumps(made).encode(), Content_Type="application/json")

    def _get(self) -> None:
        self.server.log.append(f"{self.command} {self.path}")
        repo, _, rest = self.path.lstrip("/").partition("/resolve/")
        content = self.server.files.get(repo, {}).get(rest.partition("/")[2])
        if content is None:
            return self._answer(404, b"no", X_Error_Code="EntryNotFound")
        return self._answer(
            200, content, ETag=f'"{hashlib.sha256(content).hexdigest()}"', X_Repo_Commit=COMMIT
        )

    do_GET = do_HEAD = _get

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A running server, and huggingface_hub with a cache of its own and nobody logged in."""
    fake = FakeHub()
    thread = threading.Thread(target=fake.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    yield fake
    fake.shutdown()
    fake.server_close()


@pytest.fixture
def address(server) -> dict[str, str]:
    return {"endpoint": f"http://127.0.0.1:{server.server_port}", "token": "hf_nobody"}


def without_plugin(tmp_path: Path) -> None:
    """As on another machine: the model is not installed."""
    (tmp_path / "plugins/toy_models-1.0.dist-info/entry_points.txt").write_text(
        "[zoo.models]\ntoy = synthetic_task_package\n"
    )
    package = tmp_path / "plugins/synthetic_task_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    registry.forget()


@pytest.fixture
def trusted(monkeypatch):
    """The synthetic model's code lies in a test module; here it counts as an installed
    plug-in's."""
    monkeypatch.setattr(registry, "plugin_packages", lambda: {"synthetic_task"})


def test_a_model_comes_back_with_the_same_bytes(toy, tmp_path, server, address, trusted):
    before = registry.model("climate/line.toy")
    hub.push("climate/line.toy", "ada/line", **address)
    stored = server.files["ada/line"]
    assert set(stored) == {
        "README.md",
        "card.toml",
        "config.json",
        *(weight.file for weight in before.weights),
    }
    without_plugin(tmp_path)
    assert registry.list_models() == []
    card, path = hub.pull("ada/line", **address)
    assert card == before and path.is_relative_to(files.home())
    from zoo.pretrained.model import load_model

    assert load_model("climate/line.toy").weights[0].read_bytes() == stored[before.weights[0].file]
    assert any(line.startswith("POST /api/models/ada/line/commit/main") for line in server.log)


def share_a_bias() -> Path:
    """Lets the synthetic model's weights have a parameter in common; gives the file of it."""
    from zoo.pretrained import weights

    card, path = registry.model("climate/line.toy"), registry.path_of("climate/line.toy", "model")
    text = path.read_text()
    shared = path.with_name("line.shared.safetensors")
    weights.save(shared, {"bias": np.zeros(3, np.float32)})
    for each in card.weights:
        file = path.with_name(each.file)
        both = weights.load(file)[0] | weights.load(shared)[0]
        weights.save(file, both, shared=shared)
        text = text.replace(each.sha256, files.sha256(file))
        text = text.replace(f"bytes = {each.bytes}", f"bytes = {file.stat().st_size}")
    block = (
        f'[[shared]]\nfile = "{shared.name}"\nsha256 = "{files.sha256(shared)}"\n'
        f"bytes = {shared.stat().st_size}\n\n[training]"
    )
    path.write_text(text.replace("[training]", block))
    registry.forget()
    return shared


def test_what_weights_share_goes_to_the_hub_and_comes_back_with_them(
    toy, tmp_path, server, address, trusted
):
    from zoo.pretrained.model import load_model, parameters

    shared = share_a_bias()
    hub.push("climate/line.toy", "ada/line", **address)
    stored = server.files["ada/line"]
    assert stored[shared.name] == shared.read_bytes()
    assert f"`{shared.name}`: shared, SHA-256" in stored["README.md"].decode()
    without_plugin(tmp_path)
    server.files["ada/altered"] = stored | {shared.name: stored[shared.name] + b"x"}
    with pytest.raises(files.FileAltered, match=r"altered/line.shared.safetensors has SHA-256"):
        hub.pull("ada/altered", **address)
    assert registry.list_models() == []
    card, _ = hub.pull("ada/line", **address)
    model = load_model("climate/line.toy")
    assert set(parameters(card, model.weights[1])) == {"factor", "bias"}


def test_altered_weights_are_refused_and_leave_no_card(toy, tmp_path, server, address, trusted):
    hub.push("climate/line.toy", "ada/line", **address)
    server.files["ada/line"]["line.seed1.safetensors"] += b"x"
    without_plugin(tmp_path)
    with pytest.raises(files.FileAltered, match=r"ada/line/line.seed1.safetensors has SHA-256"):
        hub.pull("ada/line", **address)
    registry.forget()
    assert registry.list_models() == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'predictor = "synthetic_task:from_weights"',
            'predictor = "os:system"',
            "predictor = 'os:system' is code of no installed package",
        ),
        ('id = "climate/line.toy"', 'id = "climate/../../x"', "id: String should match"),
        ("line.seed0.safetensors", "../../x.safetensors", "is not a plain relative path"),
    ],
)
def test_a_card_that_reaches_further_is_refused(
    toy, tmp_path, server, address, trusted, old, new, said
):
    hub.push("climate/line.toy", "ada/line", **address)
    server.files["ada/line"]["card.toml"] = server.files["ada/line"]["card.toml"].replace(
        old.encode(), new.encode()
    )
    without_plugin(tmp_path)
    with pytest.raises(cards.CardError, match=said):
        hub.pull("ada/line", **address)
    assert not (files.home() / "models").exists()


def test_a_pulled_model_takes_no_name_that_is_there(toy, server, address, trusted):
    hub.push("climate/line.toy", "ada/line", **address)
    with pytest.raises(
        cards.CardError, match=r"climate/line\.toy is the name of a model that is here already"
    ):
        hub.pull("ada/line", **address)


def test_what_is_no_repository_is_told(toy, address):
    for repo in ("line", "a/b/c", "../x", "https://huggingface.co/a/b"):
        with pytest.raises(ValueError, match="is no repository of the Hub"):
            hub.pull(repo, **address)
        with pytest.raises(ValueError, match="is no repository of the Hub"):
            hub.push("climate/line.toy", repo, **address)


def test_the_readme_and_the_scores_are_what_the_hub_reads(toy, tmp_path, zoo_command):
    import yaml

    result = bench.bench("climate/toy", models="climate/line.toy", all_seeds=True, measure=True)[0]
    (entry,) = write_entries(
        result, toy / "leaderboard/entries", command="zoo bench climate/toy", submitted_by="ada"
    )
    verify.write(verify.verify(entry), toy / "leaderboard/verified")
    text = hub.contents("climate/line.toy")["README.md"].decode()
    _, front, body = text.split("---\n", 2)
    about = yaml.safe_load(front)
    assert (
        about["license"] == "apache-2.0"
        and about["library_name"] == "scizoo"
        and "climate-toy" in about["tags"]
    )
    assert huggingface_hub.ModelCard(text).data.license == "apache-2.0"
    assert (
        "| `climate/toy@3` | `rmse.step1` |" in body and "| rerun |" in body and "simulated" in body
    )
    done = zoo_command("leaderboard", "eval-results", "climate/line.toy", "--out", tmp_path / "out")
    assert done.code == 0
    parsed = huggingface_hub.parse_eval_result_entries(
        yaml.safe_load((tmp_path / "out/.eval_results/climate.toy.yaml").read_text())
    )
    claimed = cards.read(entry, cards.Entry)
    assert [(one.dataset_id, one.task_id, one.value) for one in parsed] == [
        ("scizoo/climate-toy", "rmse_step1", claimed.metrics["rmse.step1"].value),
        ("scizoo/climate-toy", "rmse_step2", claimed.metrics["rmse.step2"].value),
    ]
    assert "verified: rerun, agrees" in parsed[0].notes


def test_without_the_extra_the_message_says_what_to_install(monkeypatch, toy):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r'pip install "scizoo\[hub\]"'):
        hub.push("climate/line.toy", "ada/line")
