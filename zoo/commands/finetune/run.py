"""Fine-tuning any pretrained model on data of one's own, with a new last layer; or that
layer alone (a linear probe).

    zoo train --from genomics/sequence_encoder.gue my_promoters.csv --out my_model              # new classes: new last layer
    zoo train --from particle_physics/pfn.top_tagging my_jets/ --out my_model --probe           # only that layer; features computed once
    zoo train --from climate/convnext.held_suarez my_states.zarr --out my_model                 # same target: the same layer goes on
    zoo predict my_model/pfn.my_jets.toml new_jets.root scores.csv                              # the result is a model like any other

What happens, in every domain:

1. A fifth of the data is set aside for validation, by the seed: whole groups (a column
   `group`, else copies of one example) for classes, the last fifth of the times with a gap
   for series; or the user's own validation file. Nothing is chosen on it.
2. A new last layer is fitted on the frozen features by ridge regression; its penalty is
   chosen inside the training part.
3. Unless that is all that was asked for, the whole network is trained on from there (first
   the probe, then everything: Kumar et al. 2022, arXiv:2202.10054, so that a random last
   layer does not spoil the features). The last averaged weights are the model. An
   interrupted training goes on from its last checkpoint when the same command is given
   again.
4. Scores on the validation part are told beside a reference without learning, and beside
   the same network from random weights.
5. `<out>/model.safetensors` and `<out>/<architecture>.<name>.toml` are written;
   `zoo.commands.finetune.run.load(out)` reads them.

A domain takes part by `zoo.<domain>.finetune`, which has `ARCHITECTURES` (code paths that
can be adapted) and `adapt(source, data, ...)`, which returns a `Labelled` or a `Problem`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from zoo import cards, files, registry
from zoo.cards import ModelCard
from zoo.pretrained.model import PretrainedModel, load_model, weight_path

__all__ = [
    "Evaluation",
    "Labelled",
    "Problem",
    "Transferred",
    "adaptable",
    "fine_tune",
    "load",
    "open_model",
    "split",
]

READS: dict[str, tuple[str, ...]] = {
    "climate": (".nc", ".zarr"),
    "genomics": (
        ".csv",
        ".tsv",
        ".txt",
        ".fa",
        ".fna",
        ".fasta",
        ".ffn",
        ".parquet",
        ".pq",
        ".zarr",
    ),
    "particle_physics": (".root", ".parquet"),
}
"""Endings of the files that each domain reads; text also in .gz."""
SHARE = 0.2
"""Of the examples, set aside for validation."""
FEWEST = 5
"""Examples of a class: fewer leave nothing to validate with."""
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Of the probe's squared weights, on standardised features; one is chosen on a fifth of the
training part."""
EMA = 0.98
UNFINISHED = ".unfinished"
"""Folder in `out` with the checkpoints of a training that has not ended; removed when it has."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Scores on the validation part.

    Attributes:
        scores: by name; the headline first.
        each: `[example]` what the headline is the mean of, so that two networks can be
            compared example by example.
        blocks: `[example]` integers: examples of one block are not independent and are
            resampled together.
    """

    scores: dict[str, float]
    each: np.ndarray
    blocks: np.ndarray


class Problem(Protocol):
    """What is learned, on which data, and how it is scored.

    Attributes:
        higher_is_better: of the headline.
        data: training examples as `zoo.train.loop.fit` takes them.
        examples: how many there are.
        batch_size, epochs: of training.
        rates: peak learning rates of a pretrained and of a random network.
        notes: what the user should be told of the data.
        held_out: what the validation part is, in words.
    """

    higher_is_better: bool
    data: Any
    examples: int
    batch_size: int
    epochs: float
    rates: tuple[float, float]
    notes: Sequence[str]
    held_out: str

    def references(self) -> dict[str, Evaluation]:
        """Scores without any training on these data, by name."""
        ...

    def probed(self) -> Any:
        """The pretrained network with a last layer that is fitted on its frozen features."""
        ...

    def start(self) -> Any:
        """Where training of the whole network begins."""
        ...

    def scratch(self, seed: int) -> Any:
        """The same network with random weights."""
        ...

    def loss(self, model: Any, batch: Any, key: Any) -> Any:
        """As `zoo.train.loop.fit` wants it."""
        ...

    def scratch_loss(self, model: Any, batch: Any, key: Any) -> Any:
        """The loss of random weights; most often the same."""
        ...

    def evaluate(self, model: Any) -> Evaluation:
        """Scores of a network on the validation part."""
        ...

    def content(self, model: Any) -> dict[str, Any]:
        """The card's `architecture`, `config`, `predictor`, `predictor_config`,
        `predict_file`; and `transforms`, arrays by name."""
        ...


class Labelled(Protocol):
    """Examples of classes, and a pretrained network whose features tell them apart:
    `Classification` makes a `Problem` of them.

    Attributes:
        noun: what an example is called in messages, in the plural.
        inputs: arrays by name with one leading length.
        label: int `[example]`, indices into `classes`.
        classes: names.
        groups: int `[example]`: those of one group are never on both sides of a split.
        validation: bool `[example]` where the user gave a validation file; else None.
        candidates: names of the networks to choose from, where the model has several; else
            one name.
    """

    noun: str
    inputs: Mapping[str, np.ndarray]
    label: np.ndarray
    classes: tuple[str, ...]
    groups: np.ndarray
    validation: np.ndarray | None
    candidates: tuple[str, ...]
    batch_size: int
    epochs: float
    rates: tuple[float, float]
    notes: Sequence[str]

    def network(self, candidate: str, *, seed: int, pretrained: bool) -> Any:
        """A network with a new last layer `head` (`nnx.Linear`), pretrained or random but
        for that."""
        ...

    def logits(self, model: Any, batch: Mapping[str, Any], key: Any) -> Any:
        """`[example, class]`, inside jit; `key` is None in prediction."""
        ...

    def features(self, model: Any, batch: Mapping[str, Any]) -> Any:
        """What `head` is given, `[example, feature]`, inside jit."""
        ...

    def content(self, model: Any) -> dict[str, Any]:
        """As `Problem.content`."""
        ...


@dataclasses.dataclass(frozen=True)
class Transferred:
    """A fine-tuned model.

    Attributes:
        model: ready to predict.
        path: of its card.
        scores: validation scores by row ("fine-tuned", "linear probe", "from scratch", the
            reference) and metric.
    """

    model: PretrainedModel
    path: Path
    scores: dict[str, dict[str, float]]


# ------------------------------------------------------------------------------- opening and saving


def load(path: str | Path) -> PretrainedModel:
    """A fine-tuned model from its card, or from the folder that holds one card.

    Raises:
        FileNotFoundError: there is no card.
        zoo.cards.CardError: it is no card of a model.
        zoo.files.FileAltered, zoo.files.FileMissing: the weights beside it are not the card's.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(path.glob("*.toml"))
        if len(found) != 1:
            names = ", ".join(each.name for each in found) or "none"
            raise FileNotFoundError(
                f"{path} holds {len(found)} cards (*.toml): {names}; name the card"
            )
        path = found[0]
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist; a model is named as `zoo list models` does, or by the path "
            "of its card (.toml)"
        )
    card = cards.read(path, ModelCard)
    return PretrainedModel(
        card, tuple(weight_path(card, path.parent, index) for index in range(len(card.weights)))
    )


def open_model(model: str | Path) -> PretrainedModel:
    """A model by name (`zoo list models`), or by the path of its card or of that card's folder."""
    path = Path(model)
    return load(path) if path.suffix == ".toml" or path.is_dir() else load_model(str(model))


def adaptable(domain: str) -> list[str]:
    """Names of the installed models of a domain that can be fine-tuned on other data."""
    known = registry.resolve(f"zoo.{domain}.finetune:ARCHITECTURES")
    return [
        name
        for name, card in registry.models().items()
        if name.startswith(f"{domain}/") and card.architecture in known
    ]


def _require_adaptable(card: ModelCard, data: Path) -> str:
    """The model's domain.

    Raises:
        ValueError: the model has no part that could be adapted, or reads other files; names
            those that would do.
    """
    domain = card.id.split("/")[0]
    if domain not in READS:
        raise ValueError(f"{card.id} cannot be fine-tuned: only models of {', '.join(READS)} can")
    if card.architecture not in registry.resolve(f"zoo.{domain}.finetune:ARCHITECTURES"):
        raise ValueError(
            f"{card.id} ({card.architecture.split(':')[1]}) cannot be fine-tuned on other data; "
            f"of {domain} these can: {', '.join(adaptable(domain)) or 'none that is installed'}"
        )
    if not data.exists():
        raise FileNotFoundError(
            f"{data} does not exist; a model of {domain} is fine-tuned on "
            f"{', '.join(READS[domain])}"
        )
    ending = _ending(data)
    others = [other for other, endings in READS.items() if ending in endings]
    if ending not in READS[domain] and others:
        able = adaptable(others[0])
        raise ValueError(
            f"{card.id} is a model of {domain} and reads {', '.join(READS[domain])}; {data.name} "
            f"looks like data of {others[0]}, "
            "whose models are "
            f"{', '.join(able[:8]) or 'not installed'}{', ...' if len(able) > 8 else ''}"
        )
    return domain


def _ending(data: Path) -> str:
    """The suffix of a file without `.gz`; of a folder that of the first file in it which
    somebody reads."""
    suffixes = [suffix.lower() for suffix in data.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".bgz"):
        suffixes.pop()
    if data.is_dir() and not (suffixes and suffixes[-1] == ".zarr"):
        known = {ending for endings in READS.values() for ending in endings}
        return next(
            (
                path.suffix.lower()
                for path in sorted(data.rglob("*"))
                if path.suffix.lower() in known
            ),
            "",
        )
    return suffixes[-1] if suffixes else ""


# ------------------------------------------------------------------------------------------ the run


def fine_tune(
    model: str | Path,
    data: str | Path,
    *,
    out: str | Path,
    validation: str | Path | None = None,
    label: str | None = None,
    group: str | None = None,
    network: str | None = None,
    probe: bool = False,
    scratch: bool = False,
    epochs: float | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
    name: str | None = None,
    truth: str | None = None,
    log: Callable[[str], None] = print,
) -> Transferred:
    """Fine-tunes a pretrained model on data of one's own and writes the result as a model
    with a card.

    Args:
        model: name, or the path of a card.
        data: file or folder; see `READS`.
        out: folder for weights and card; must hold no other model.
        validation: file or folder to validate on, instead of a part of `data`.
        label: column (tables), key (FASTA headers) or branch (jets) of the class; default
            `label`, or branches `label_<class>`.
        group: column or branch whose equal values stay on one side of the split; default
            `group` where there is one.
        network: which network, of a model that has several; by default the one whose
            features do best inside the training part.
        probe: fit the last layer alone.
        scratch: also train the same network from random weights, to see what the
            pre-training is worth.
        epochs, steps: length of the training; `steps` wins.
        learning_rate: peak, for the pretrained network.
        seed: of the split, the order of examples and the random weights.
        name: tag of the new model; default from the name of `data`.
        truth: whether the data are `observed`, `simulated`, `reanalysis` or `mixed`.
        log: told a line now and then.

    Raises:
        ValueError: a model that cannot be adapted or is of another domain, and whatever the
            data lack: says what would be right.
        FileNotFoundError: no such data.
        FileExistsError: `out` holds a model already.
        ImportError: the package that writes cards is missing.
    """
    if importlib.util.find_spec("tomli_w") is None:  # told now, not after the training
        raise ImportError("writing cards needs tomli-w: pip install tomli-w")
    out, data = Path(out), Path(data)
    if truth is not None and truth not in ("observed", "simulated", "reanalysis", "mixed"):
        raise ValueError(f"truth {truth!r} is none of observed, simulated, reanalysis, mixed")
    for option, value in (("epochs", epochs), ("steps", steps), ("learning_rate", learning_rate)):
        if value is not None and not value > 0:
            raise ValueError(f"{option}={value} must be above zero")
    if out.is_dir() and (there := sorted([*out.glob("*.toml"), *out.glob("*.safetensors")])):
        raise FileExistsError(
            f"{out} holds a model already ({there[0].name}); choose another folder, or delete it"
        )
    source = open_model(model)
    domain = _require_adaptable(source.card, data)
    tag = _tag(name if name is not None else data.name.split(".")[0])
    began = time.perf_counter()
    adapted = registry.resolve(f"zoo.{domain}.finetune:adapt")(
        source,
        data,
        validation=None if validation is None else Path(validation),
        label=label,
        group=group,
        network=network,
        seed=seed,
    )
    problem: Problem = (
        Classification(adapted, seed=seed) if hasattr(adapted, "classes") else adapted
    )
    for note in problem.notes:
        log(note)
    log(f"{problem.examples:,} to train on; validated on {problem.held_out}")

    rows = problem.references()
    batch = min(problem.batch_size, problem.examples)
    if steps is None:
        steps = max(
            1, round((problem.epochs if epochs is None else epochs) * problem.examples / batch)
        )
    rates = problem.rates if learning_rate is None else (learning_rate, problem.rates[1])
    said = (network, label, group, seed, steps, batch, rates)
    unfinished = (
        out
        / UNFINISHED
        / _identity(
            source.card, [data, *([Path(validation)] if validation is not None else [])], said
        )
    )
    final, title = (problem.probed(), "linear probe") if probe else (None, "fine-tuned")
    if final is None:
        start = problem.start()
        if hasattr(adapted, "classes"):
            rows["linear probe"] = problem.evaluate(start)
        final = _train(
            problem,
            start,
            problem.loss,
            rate=rates[0],
            steps=steps,
            batch=batch,
            seed=seed,
            folder=unfinished,
            log=log,
        )
    rows[title] = problem.evaluate(final)
    if scratch:
        random = _train(
            problem,
            problem.scratch(seed),
            problem.scratch_loss,
            rate=rates[1],
            steps=steps,
            batch=batch,
            seed=seed,
            folder=unfinished,
            log=log,
            title="from scratch",
        )
        rows["from scratch"] = problem.evaluate(random)
    for line in _report(rows, title, problem):
        log(line)

    content = _card(
        source.card,
        problem,
        final,
        rows,
        title,
        domain=domain,
        tag=tag,
        data=data,
        validation=validation,
        truth=truth,
    )
    content["training"] |= {
        "command": _command(
            source.card.id, data, seed=seed, probe=probe, steps=None if probe else steps
        ),
        "wall_seconds": round(max(time.perf_counter() - began, 0.1), 1),
        "steps": 1 if probe else steps,
    }
    path = _write(out, content, final, problem, seed=seed)
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)
    log(f"wrote {path}")
    return Transferred(load(path), path, {row: each.scores for row, each in rows.items()})


def _identity(card: ModelCard, data: Sequence[Path], said: tuple[Any, ...]) -> str:
    """A name for one training: the source's weights, the data files as they are now, and
    everything that was asked for."""
    paths = [
        each
        for top in data
        for each in (
            sorted(path for path in top.rglob("*") if path.is_file()) if top.is_dir() else [top]
        )
    ]
    stated = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.sha256(
        repr((card.id, [each.sha256 for each in card.weights], stated, said)).encode()
    ).hexdigest()[:16]


def _train(
    problem: Problem,
    model: Any,
    loss: Callable[..., Any],
    *,
    rate: float,
    steps: int,
    batch: int,
    seed: int,
    folder: Path,
    log: Callable[[str], None],
    title: str = "fine-tuned",
) -> Any:
    """The network after training: AdamW, warm-up and cosine, clipped gradients, averaged
    weights; the last ones, none is chosen.

    It goes on from the checkpoints that an interrupted run left in `folder`.
    """
    import jax
    import optax
    from jax.sharding import Mesh

    from zoo.train.loop import LoopConfig, fit

    schedule = optax.warmup_cosine_decay_schedule(
        0.0, rate, max(1, steps // 10), max(2, steps), rate * 0.01
    )
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=0.01)
    )
    every = max(1, -(-steps // 5))
    config = LoopConfig(
        steps=steps,
        batch_size=batch,
        seed=seed,
        log_every=every,
        checkpoint_every=every,
        ema_decay=EMA,
    )

    def progress(row: dict[str, float]) -> None:
        log(
            f"{title}: step {row['step']:.0f} of {steps}, loss {row['loss']:.4f}, "
            f"{1000 * row['seconds_per_step']:.0f} ms a step"
        )

    # One device: batches of data of one's own are small, and need not divide among many.
    mesh = Mesh(np.asarray(jax.devices()[:1]), ("data",))
    checkpoints = (folder / title.replace(" ", "_")).resolve()
    return fit(
        model,
        loss,
        problem.data,
        optimiser,
        config=config,
        checkpoint_dir=checkpoints,
        on_progress=progress,
        mesh=mesh,
    ).model


def _report(rows: Mapping[str, Evaluation], title: str, problem: Problem) -> list[str]:
    """The table of validation scores, and what the model gains over each other row."""
    metrics = list(rows[title].scores)
    width = max(map(len, rows))
    lines = [" " * width + "".join(f"{metric:>18}" for metric in metrics)]
    for row, each in rows.items():
        lines.append(
            f"{row:<{width}}"
            + "".join(
                f"{each.scores[m]:18.4f}" if m in each.scores else f"{'-':>18}" for m in metrics
            )
        )
    sign = 1 if problem.higher_is_better else -1
    for row, each in rows.items():
        bounds = (
            None
            if row == title
            else paired_interval(sign * rows[title].each, sign * each.each, rows[title].blocks)
        )
        if bounds is not None:
            better = "better" if bounds[0] > 0 else "worse" if bounds[1] < 0 else "not told apart"
            lines.append(
                f"{title} against {row}: gain in {metrics[0]} within [{bounds[0]:+.4f}, "
                f"{bounds[1]:+.4f}] (95 %): {better}"
            )
    return lines


def paired_interval(
    first: np.ndarray,
    second: np.ndarray,
    blocks: np.ndarray,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """The 95 % percentile interval of the mean of `first - second` `[example]`, whole
    blocks resampled; None of fewer than two blocks."""
    _, place = np.unique(blocks, return_inverse=True)
    size, total = (
        np.bincount(place),
        np.bincount(place, np.asarray(first, np.float64) - np.asarray(second, np.float64)),
    )
    if len(size) < 2:
        return None
    drawn = np.random.default_rng(seed).multinomial(
        len(size), np.full(len(size), 1 / len(size)), resamples
    )
    low, high = np.quantile(drawn @ total / (drawn @ size), [0.025, 0.975])
    return float(low), float(high)


def _tag(name: str) -> str:
    tag = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
    if not tag:
        raise ValueError(f"name {name!r} holds no letter or digit; say name=, for example my_data")
    return tag


def _command(model: str, data: Path, *, seed: int, probe: bool, steps: int | None) -> str:
    """The command without the paths of this machine."""
    options = ["--probe"] if probe else [f"--steps {steps}"]
    return f"zoo train --from {model} {data.name} --out OUT --seed {seed} {' '.join(options)}"


def _card(
    source: ModelCard,
    problem: Problem,
    model: Any,
    rows: Mapping[str, Evaluation],
    title: str,
    *,
    domain: str,
    tag: str,
    data: Path,
    validation: str | Path | None,
    truth: str | None,
) -> dict[str, Any]:
    """The card's content but for cost and weights."""
    from zoo.scoring import environment

    captured = environment.capture()
    device = (
        f"{captured.cpu_count} CPU cores" if captured.accelerator == "cpu" else captured.accelerator
    )
    scores = {
        _key(metric, row, title): round(value, 4)
        for row, each in rows.items()
        for metric, value in each.scores.items()
    }
    described = data.name + (f" (SHA-256 {files.sha256(data)})" if data.is_file() else "")
    said = (
        []
        if truth
        else ["Whether its data are observed or simulated was not said when it was trained."]
    )
    inner = problem.content(model)
    return {key: value for key, value in inner.items() if key != "transforms"} | {
        "id": f"{domain}/{source.id.split('/')[1].split('.')[0]}.{tag}",
        "title": f"{source.title}, {title} on {data.name}",
        "summary": (
            f"{source.id}, {title} on the user's own data: {problem.examples:,} training examples "
            f"of {data.name}."
        ),
        "tasks": [],
        "licence": source.licence,
        "paper": source.paper,
        "truth": truth or "mixed",
        "pretrained_on": [*source.pretrained_on, *source.training.data],
        "training": {
            "data": [f"{described}: {problem.examples:,} examples"],
            "chosen_on": (
                "inside the training examples (penalty of the linear probe, source network); "
                "nothing on the validation examples: "
            )
            + (
                problem.held_out
                if validation is None
                else f"{Path(validation).name}, {problem.held_out}"
            ),
            "hardware": device,
            "validation": {key: value for key, value in scores.items() if np.isfinite(value)},
        },
        "caveats": [
            *source.caveats,
            *said,
            f"Its licence is that of {source.id}; that of the data is the user's to add.",
        ],
    }


def _key(metric: str, row: str, title: str) -> str:
    return metric if row == title else f"{metric}_{re.sub(r'[^a-z0-9]+', '_', row.lower())}"


def _write(out: Path, content: dict[str, Any], model: Any, problem: Problem, *, seed: int) -> Path:
    """Weights and card; the folder is as it was where either cannot be written."""
    from zoo.pretrained import weights
    from zoo.pretrained.publish import publish

    target = out / "model.safetensors"
    try:
        weights.save(
            target,
            model,
            transforms=problem.content(model).get("transforms"),
            metadata={"card": content["id"], "seed": seed},
        )
        return publish(out, content, {seed: target}, dtype=None, stem="model")
    except BaseException:
        target.unlink(missing_ok=True)
        raise


# ------------------------------------------------------------------------------------------ classes


def split(label: np.ndarray, groups: np.ndarray, *, seed: int, share: float = SHARE) -> np.ndarray:
    """Which examples validate, bool `[example]`: whole groups in an order drawn by the
    seed, until a share of each class is there.

    A group is taken where more than half of its examples are still wanted, so that no large
    group overshoots its class by far.
    """
    _, place = np.unique(groups, return_inverse=True)
    order = np.argsort(place, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(place))[:-1])
    wanted = np.maximum(1, np.round(share * np.bincount(label)).astype(int)) * (
        np.bincount(label) > 0
    )
    chosen = np.zeros(len(label), bool)
    for number in np.random.default_rng(seed).permutation(len(members)):
        counts = np.bincount(label[members[number]], minlength=len(wanted))
        if 2 * np.minimum(counts, wanted).sum() > counts.sum():
            chosen[members[number]] = True
            wanted = np.maximum(wanted - counts, 0)
    return chosen


def softmax_regression(
    x: np.ndarray,
    label: np.ndarray,
    classes: int,
    *,
    penalty: float,
    start: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel `[feature, class]` and bias `[class]` that minimise cross-entropy + penalty /
    2 · Σ kernel² over standardised features.

    The features' means and standard deviations are folded into what is returned. By L-BFGS
    in double precision; exact to its tolerance.

    Args:
        x: `[example, feature]`, finite.
        label: `[example]`.
        classes: how many.
        penalty: of the kernel on standardised features; the bias is free.
        start: flat solution for another penalty, to begin from.
    """
    from scipy.optimize import minimize

    x = np.asarray(x, np.float64)
    mean, std = x.mean(0), x.std(0)
    scale = np.where(
        std > 1e-6 * np.maximum(np.abs(mean), 1e-6), std, np.inf
    )  # a constant feature says nothing
    z, target = (x - mean) / scale, np.eye(classes)[label]
    size = x.shape[1] * classes

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        kernel, bias = flat[:size].reshape(-1, classes), flat[size:]
        logits = z @ kernel + bias
        top = logits.max(1, keepdims=True)
        log_sum = top[:, 0] + np.log(np.exp(logits - top).sum(1))
        value = (log_sum - (logits * target).sum(1)).mean() + 0.5 * penalty * (kernel**2).sum()
        difference = (np.exp(logits - log_sum[:, None]) - target) / len(z)
        return value, np.concatenate(
            [(z.T @ difference + penalty * kernel).ravel(), difference.sum(0)]
        )

    begin = np.zeros(size + classes) if start is None else start
    found = minimize(
        objective,
        begin,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 500, "gtol": 1e-6, "ftol": 1e-10},
    ).x
    kernel = found[:size].reshape(-1, classes) / scale[:, None]
    return kernel, found[size:] - mean @ kernel


def chosen_regression(
    x: np.ndarray, label: np.ndarray, groups: np.ndarray, classes: int, *, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """`softmax_regression` with the penalty that does best on a fifth of these examples,
    and its cross-entropy there."""
    held = split(label, groups, seed=seed + 1)
    if held.all() or len(np.unique(label[~held])) < len(np.unique(label)):
        return *softmax_regression(x, label, classes, penalty=0.1), np.inf
    errors = []
    for penalty in PENALTIES:
        kernel, bias = softmax_regression(x[~held], label[~held], classes, penalty=penalty)
        errors.append(cross_entropy(x[held] @ kernel + bias, label[held]))
    best = int(np.argmin(errors))
    return *softmax_regression(x, label, classes, penalty=PENALTIES[best]), errors[best]


def cross_entropy(logits: np.ndarray, label: np.ndarray) -> float:
    """Mean -log p of the right class, in nats."""
    from scipy.special import log_softmax

    return float(
        -log_softmax(np.asarray(logits, np.float64), 1)[np.arange(len(label)), label].mean()
    )


def class_scores(logits: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """`accuracy`, `mcc` (Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006: of any
    number of classes), `cross_entropy`, `auroc` of two.

    Args:
        logits: `[example, class]`.
        label: `[example]`.
    """
    from zoo.scoring.scores import auroc, matthews

    classes = logits.shape[1]
    predicted = logits.argmax(1)
    table = (
        np.bincount(label * classes + predicted, minlength=classes**2)
        .reshape(classes, classes)
        .astype(np.float64)
    )
    scores = {
        "accuracy": float((predicted == label).mean()),
        "mcc": float(matthews(table)),
        "cross_entropy": cross_entropy(logits, label),
    }
    if classes == 2 and table.sum(1).all():
        scores["auroc"] = float(
            auroc(np.asarray(logits[:, 1], np.float64) - logits[:, 0], label == 1)
        )
    return scores


class Classification:
    """The `Problem` of `Labelled` examples.

    Args:
        task: the examples and their network.
        seed: of the split and of whatever is random in the network's new parts.

    Raises:
        ValueError: too few examples, one class, or a class that is missing on one side of
            the split.
    """

    higher_is_better = True

    def __init__(self, task: Labelled, *, seed: int):
        self.task, self.seed = task, seed
        self.batch_size, self.epochs, self.rates = task.batch_size, task.epochs, task.rates
        label, noun = np.asarray(task.label, np.int64), task.noun
        counts = np.bincount(label, minlength=len(task.classes))
        of_class = ", ".join(
            f"{name} {count}" for name, count in zip(task.classes, counts, strict=True)
        )
        if len(task.classes) < 2 or (counts > 0).sum() < 2:
            raise ValueError(
                f"there is one class only ({of_class}); at least two are needed to learn what "
                "tells them apart"
            )
        if task.validation is None and counts.min() < FEWEST:
            raise ValueError(
                f"too few {noun}: {of_class}; each class needs {FEWEST} or more, so that some "
                "train and some validate "
                "(or leave the class out, or bring a validation file)"
            )
        held = (
            split(label, task.groups, seed=seed)
            if task.validation is None
            else np.asarray(task.validation, bool)
        )
        lacking = [
            f"{name} ({side})"
            for side, part in (("training", ~held), ("validation", held))
            for name, count in zip(
                task.classes, np.bincount(label[part], minlength=len(task.classes)), strict=True
            )
            if not count
        ]
        if lacking:
            raise ValueError(
                f"after the split there is no example of {', '.join(lacking)}: its groups are too "
                "few or too large; "
                "another seed, smaller groups or a validation file of your own would help"
            )
        self._label, self._held = label, held
        self._train, self._validate = np.flatnonzero(~held), np.flatnonzero(held)
        self.examples = len(self._train)
        self.data = self._rows(self._train) | {"label": label[self._train].astype(np.int32)}
        where = (
            "set aside by the seed, whole groups together"
            if task.validation is None
            else "in the file that was given"
        )
        self.held_out = f"{len(self._validate):,} {noun} {where}"
        self.notes = [*task.notes, f"{len(label):,} {noun}: {of_class}"]
        self._probed: Any = None

    def _rows(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return {name: np.asarray(value)[rows] for name, value in self.task.inputs.items()}

    def outputs(
        self, call: Callable[[Any, Any], Any], model: Any, rows: np.ndarray, *, batch: int = 128
    ) -> np.ndarray:
        """`call(model, inputs)` of some examples, in batches of one size `[example, ...]`."""
        import jax
        from flax import nnx

        graph, state = nnx.split(model)
        run = jax.jit(lambda state, part: call(nnx.merge(graph, state), part))
        batch, parts = min(batch, len(rows)), []
        for begin in range(0, len(rows), batch):
            chosen = rows[begin : begin + batch]
            parts.append(
                np.asarray(run(state, self._rows(np.resize(chosen, batch))))[: len(chosen)]
            )
        return np.concatenate(parts)

    def references(self) -> dict[str, Evaluation]:
        """The majority class, with the shares of the training classes as its probabilities."""
        shares = (
            np.bincount(self._label[self._train], minlength=len(self.task.classes)) / self.examples
        )
        return {
            "majority class": self._evaluation(np.tile(np.log(shares), (len(self._validate), 1)))
        }

    def probed(self) -> Any:
        """The network with a ridge-regression head; of several networks the one whose head
        does best inside the training part."""
        import jax.numpy as jnp

        if self._probed is None:
            label, groups, best = (
                self._label[self._train],
                np.asarray(self.task.groups)[self._train],
                None,
            )
            for candidate in self.task.candidates:
                model = self.task.network(candidate, seed=self.seed, pretrained=True)
                x = self.outputs(self.task.features, model, self._train)
                if not np.isfinite(x).all():
                    raise ValueError(
                        f"the features of {candidate} are not finite for "
                        f"{(~np.isfinite(x)).any(1).sum()} {self.task.noun}"
                    )
                kernel, bias, error = chosen_regression(
                    x, label, groups, len(self.task.classes), seed=self.seed
                )
                if best is None or error < best[0]:
                    best = (error, model, kernel, bias)
            _, self._probed, kernel, bias = best
            head = self._probed.head
            head.kernel[...], head.bias[...] = (
                jnp.asarray(kernel, jnp.float32),
                jnp.asarray(bias, jnp.float32),
            )
        return self._probed

    def start(self) -> Any:
        """The probe: a random head would push the features about before it has learned anything."""
        return self.probed()

    def scratch(self, seed: int) -> Any:
        """The same design as the probe's with random weights."""
        candidate = getattr(self.probed(), "candidate", self.task.candidates[0])
        return self.task.network(candidate, seed=seed, pretrained=False)

    def loss(self, model: Any, batch: Mapping[str, Any], key: Any) -> Any:
        """Mean cross-entropy."""
        import optax

        logits = self.task.logits(model, batch, key)
        value = optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"]).mean()
        return value, {"accuracy": (logits.argmax(-1) == batch["label"]).mean()}

    scratch_loss = loss

    def evaluate(self, model: Any) -> Evaluation:
        """Scores of a network on the validation examples."""
        return self._evaluation(
            self.outputs(
                lambda model, part: self.task.logits(model, part, None), model, self._validate
            )
        )

    def _evaluation(self, logits: np.ndarray) -> Evaluation:
        label = self._label[self._validate]
        right = (logits.argmax(1) == label).astype(np.float64)
        return Evaluation(
            class_scores(logits, label), right, np.asarray(self.task.groups)[self._validate]
        )

    def content(self, model: Any) -> dict[str, Any]:
        """The domain's part of the card."""
        return self.task.content(model)
