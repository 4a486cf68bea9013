"""`zoo push` and `zoo pull`: pretrained models on the Hugging Face Hub, with the same card
and the same SHA-256 as here.

A model's repository there holds `card.toml` (ours, word for word), the safetensors files it
pins, `config.json` (architecture and settings for other tools), a `README.md` with the
Hub's own front matter, and `.eval_results/*.yaml` with the scores of its entries. Needs the
extra `hub` (huggingface_hub); the address of the Hub is its own setting `HF_ENDPOINT`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo import cards, files, registry
from zoo.cards import CardError, Entry, ModelCard, Verification
from zoo.pretrained.model import model_files

CARD = "card.toml"
REPO = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*")
ORGANISATION = "scizoo"
"""Under this name the Hub's leaderboards would find our tasks as datasets."""


def push(
    name: str,
    repo: str,
    *,
    private: bool = False,
    message: str | None = None,
    token: str | None = None,
    endpoint: str | None = None,
) -> str:
    """Uploads a pretrained model in one commit; the commit's address.

    Args:
        name: the model's id.
        repo: `<user or organisation>/<name>` on the Hub; made if it is not there.
        private: whether a repository that is made is private.
        message: of the commit.
        token, endpoint: as huggingface_hub takes them; default its own login and address.

    Raises:
        zoo.registry.UnknownName: no such model.
        ImportError: the extra `hub` is missing.
    """
    hub = _hub()
    if not REPO.fullmatch(repo):
        raise ValueError(
            f"{repo!r} is no repository of the Hub; it is <user>/<name>, e.g. "
            f"ada/{name.split('/')[1]}"
        )
    card = registry.model(name)
    folder = registry.path_of(name, "model").parent
    content: dict[str, bytes | Path] = {**contents(name)}
    content |= {str(file.path): files.get(file, folder=folder) for file in model_files(card)}
    api = hub.HfApi(endpoint=endpoint, token=token, library_name="scizoo")
    api.create_repo(repo, private=private, exist_ok=True, repo_type="model")
    made = api.create_commit(
        repo,
        operations=[
            hub.CommitOperationAdd(path_in_repo=path, path_or_fileobj=source)
            for path, source in sorted(content.items())
        ],
        commit_message=message or f"{name}, with its card and scores",
    )
    return str(made.commit_url)


def pull(
    repo: str, *, revision: str | None = None, token: str | None = None, endpoint: str | None = None
) -> tuple[ModelCard, Path]:
    """Fetches a model that `push` put there into the cache's `models` folder, where
    `zoo list models` and `zoo.load_model` find it.

    Every weight file, and what they share, must have the SHA-256 of the card. The card names
    code by strings; only this package's and that of installed plug-ins is taken, and nothing
    is run.

    Returns:
        The card and its path.

    Raises:
        zoo.files.FileAltered: a weight file is not the card's.
        zoo.cards.CardError: the card is none, takes a name that is there, or names code
            that is not installed as a plug-in.
        ImportError: the extra `hub` is missing.
    """
    hub = _hub()
    if not REPO.fullmatch(repo):
        raise ValueError(f"{repo!r} is no repository of the Hub; it is <user>/<name>")

    def get(path: str) -> Path:
        return Path(
            hub.hf_hub_download(
                repo, path, revision=revision, token=token, endpoint=endpoint, library_name="scizoo"
            )
        )

    source = get(CARD)
    card = cards.read(source, ModelCard)
    known = {"zoo"} | registry.plugin_packages()
    for field in ("architecture", "predictor", "converter", "predict_file"):
        code = getattr(card, field)
        if code is not None and code.partition(":")[0].partition(".")[0] not in known:
            raise CardError(
                f"{repo}: {field} = {code!r} is code of no installed package with the entry point "
                "zoo.models; install it first"
            )
    folder = files.home() / "models" / card.id.split("/")[0]
    target = folder / f"{card.id.split('/')[1]}.toml"
    if card.id in registry.models() and registry.path_of(card.id, "model") != target:
        raise CardError(
            f"{repo}: {card.id} is the name of a model that is here already "
            f"({registry.path_of(card.id, 'model')})"
        )
    for weight in [*card.weights, *card.shared]:
        fetched = get(weight.file)
        if (found := files.sha256(fetched)) != weight.sha256:
            raise files.FileAltered(
                f"{repo}/{weight.file} has SHA-256 {found}, its card says {weight.sha256}: do not "
                "use it"
            )
        files.copy(fetched, folder / weight.file)
    files.copy(source, target)  # last: a card never lies there without its weights
    registry.forget()
    return card, target


def contents(name: str) -> dict[str, bytes]:
    """The texts of a model's repository, by path: README, card, configuration, scores."""
    card = registry.model(name)
    rows = scores(name)
    config = {
        "architecture": card.architecture,
        "config": card.config,
        "model_type": "scizoo",
        "scizoo_id": card.id,
    }
    made = {
        "README.md": readme(card, rows),
        CARD: registry.path_of(name, "model").read_text(encoding="utf-8"),
        "config.json": json.dumps(config, indent=1, sort_keys=True) + "\n",
    }
    made |= {f".eval_results/{path}": text for path, text in eval_results(name).items()}
    return {path: text.encode() for path, text in made.items()}


def scores(name: str) -> list[tuple[Entry, Verification | None]]:
    """The entries of a model on current task versions, with their verifications."""
    root = files.share() / "leaderboard"
    found = []
    for spec in registry.tasks().values():
        path = root / "entries" / spec.key / f"{name.split('/')[1]}.json"
        if not path.is_file():
            continue
        entry = cards.read(path, Entry)
        verified = root / "verified" / path.relative_to(root / "entries")
        result = cards.read(verified, Verification) if verified.is_file() else None
        if entry.model == name:
            found.append(
                (entry, result if result and result.entry_sha256 == files.sha256(path) else None)
            )
    return found


def eval_results(name: str, *, organisation: str = ORGANISATION) -> dict[str, str]:
    """A model's scores as `.eval_results` files of the Hub, `<domain>.<task>.yaml` each:
    one item per metric of the short table.

    https://huggingface.co/docs/hub/eval-results
    """
    made = {}
    for entry, verified in scores(name):
        spec = registry.task(entry.task)
        wanted = dict.fromkeys([spec.headline, *(column.metric for column in spec.table)])
        items = []
        for metric in (metric for metric in wanted if metric in entry.metrics):
            score = entry.metrics[metric]
            bounds = (
                f"95 % interval [{score.ci95[0]:.6g}, {score.ci95[1]:.6g}]; " if score.ci95 else ""
            )
            level = (
                f"{verified.level}, {'agrees' if verified.ok else 'differs'}"
                if verified
                else "not yet"
            )
            items.append(
                {
                    "dataset": {
                        "id": f"{organisation}/{spec.id.replace('/', '-')}",
                        "task_id": metric.replace(".", "_"),
                    },
                    "value": score.value,
                    "date": entry.provenance.created.date().isoformat(),
                    "notes": (
                        f"{bounds}{spec.metric_of(metric).unit}; {spec.key}; {spec.truth} truth; "
                        f"verified: {level}"
                    ),
                }
            )
        made[f"{spec.id.replace('/', '.')}.yaml"] = _yaml(items)
    return made


def readme(card: ModelCard, rows: list[tuple[Entry, Verification | None]]) -> str:
    """The Hub's model card: its front matter, and what a reader should know before using
    the weights."""
    domain = card.id.split("/")[0]
    spdx = card.licence.lower() if re.fullmatch(r"[A-Za-z0-9.\-]+", card.licence) else "other"
    front = {
        "license": spdx,
        **({"license_name": card.licence} if spdx == "other" else {}),
        "library_name": "scizoo",
        "tags": [
            "jax",
            "flax",
            "scizoo",
            domain.replace("_", "-"),
            *(task.replace("/", "-") for task in card.tasks),
        ],
    }
    lines = [
        f"---\n{_yaml(front)}---",
        f"# {_plain(card.title)}",
        _plain(card.summary.strip()),
        f"Trained on **{card.truth}** truth.",
    ]
    task = card.tasks[0] if card.tasks else None
    code = ["import zoo", f'model = zoo.load_model("{card.id}")']
    code += [f'predictions = model(zoo.load_task("{task}").examples().inputs)'] if task else []
    lines.append("```python\n" + "\n".join(code) + "\n```")
    lines.append(
        "from `pip install scizoo`; `zoo pull <this repository>` where the package does not have "
        "it yet."
    )
    if rows:
        table = ["| task | metric | score | 95 % interval | verified |", "|---|---|---:|---|---|"]
        for entry, verified in rows:
            headline = registry.task(entry.task).headline
            if headline in entry.metrics:
                score = entry.metrics[headline]
                bounds = f"[{score.ci95[0]:.4g}, {score.ci95[1]:.4g}]" if score.ci95 else ""
                mark = (
                    "not yet"
                    if verified is None
                    else f"{verified.level}{'' if verified.ok else ', differs'}"
                )
                table.append(
                    f"| `{entry.task}@{entry.task_version}` | `{headline}` | {score.value:.5g} | "
                    f"{bounds} | {mark} |"
                )
        lines += ["## Scores", "\n".join(table)]
    if card.caveats:
        lines += ["## Caveats", "\n".join(f"* {_plain(caveat)}" for caveat in card.caveats)]
    made = card.training
    lines += [
        "## Training",
        (
            f"`{made.command}` on {_plain(', '.join(made.data))}. Choices were made on: "
            f"{_plain(made.chosen_on)}."
        ),
    ]
    lines += [
        "## Files",
        "\n".join(
            [
                *(
                    f"* `{one.file}`: seed {one.seed}, SHA-256 `{one.sha256}`"
                    for one in card.weights
                ),
                *(f"* `{one.file}`: shared, SHA-256 `{one.sha256}`" for one in card.shared),
            ]
        ),
    ]
    return "\n\n".join([*lines, f"Paper: <{card.paper}>"]) + "\n"


def _plain(text: str) -> str:
    """Typed text without HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _yaml(value: Any, indent: str = "") -> str:
    """Plain data as YAML: block style, strings and numbers as in JSON (which is YAML, too)."""
    if isinstance(value, list):
        return "".join(
            f"{indent}- {_yaml(item, indent + '  ').removeprefix(indent + '  ')}" for item in value
        )
    if isinstance(value, Mapping):
        lines = []
        for key, item in value.items():
            nested = isinstance(item, Mapping | list) and item
            lines.append(
                f"{indent}{key}:\n{_yaml(item, indent + '  ')}"
                if nested
                else f"{indent}{key}: {json.dumps(item)}\n"
            )
        return "".join(lines)
    return f"{indent}{json.dumps(value)}\n"


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(
            'pushing and pulling models needs huggingface_hub: pip install "scizoo[hub]"'
        ) from error
    return huggingface_hub
