"""Fine-tuning any pretrained model on data of one's own, with a new last layer; or that
layer alone (a linear probe).

    zoo train --from genomics/sequence_encoder.gue my_promoters.csv --out my_model
    zoo train --from particle_physics/pfn.top_tagging my_jets/ --out my_model --probe
    zoo train --from climate/convnext.held_suarez my_states.zarr --out my_model
    zoo predict my_model/pfn.my_jets.toml new_jets.root scores.csv

The first learns new classes with a new last layer, the second only that layer (features are
computed once), the third goes on with the layer that it has; the result is a model like any
other. What happens, in every domain:

1. A fifth of the data is set aside for validation, by the seed: whole groups (a column
   `group`, else copies of one example) for classes, the last fifth of the times with a gap
   for series; or the user's own validation file. Nothing is chosen on it.
2. A new last layer is fitted on the frozen features, of classes by penalised softmax
   regression; its penalty is chosen inside the training part.
3. Unless that is all that was asked for, the whole network is trained on from there (first
   the probe, then everything: Kumar et al. 2022, arXiv:2202.10054, so that a random last
   layer does not spoil the features). The last averaged weights are the model. An
   interrupted training goes on from its last checkpoint when the same command is given
   again.
4. Scores on the validation part stand beside a reference without learning, and beside
   the same network from random weights.
5. `<out>/model.safetensors` and `<out>/<architecture>.<name>.toml` are written;
   `zoo.load_model(out)` reads them.

A domain takes part by what its descriptor names (`zoo.interfaces.domain`): the architectures
that can be adapted, and `adapt(source, data, ...)`, which returns a `Labelled` or a `Problem`
(`zoo.interfaces.finetune`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import registry
from zoo.cards import ModelCard
from zoo.commands.finetune import card, report
from zoo.commands.finetune.classification import Classification
from zoo.interfaces.domain import Domain, domain_of, domains
from zoo.interfaces.finetune import Evaluation, Problem
from zoo.pretrained.model import PretrainedModel, load_model

__all__ = ["FineTuned", "adaptable", "fine_tune"]

EMA = 0.98
UNFINISHED = ".unfinished"
"""Folder in `out` with the checkpoints of a training that has not ended; removed when it has."""


@dataclasses.dataclass(frozen=True)
class FineTuned:
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


@dataclasses.dataclass(frozen=True)
class Training:
    """How the whole network is trained.

    Attributes:
        steps, batch_size: of the optimiser.
        rates: peak learning rates of a pretrained and of a random network.
        seed: of the order of examples and of random weights.
        log: called with a line now and then.
    """

    steps: int
    batch_size: int
    rates: tuple[float, float]
    seed: int
    log: Callable[[str], None]


def adaptable(domain: Domain) -> list[str]:
    """Names of the installed models of a domain that can be fine-tuned on other data."""
    known = _architectures(domain)
    return [
        name
        for name, other in registry.models().items()
        if name.startswith(f"{domain.name}/") and other.architecture in known
    ]


def _architectures(domain: Domain) -> tuple[str, ...]:
    return () if domain.adaptable is None else registry.resolve(domain.adaptable)


def _domain_of(source: ModelCard, data: Path) -> Domain:
    """The model's domain.

    Raises:
        ValueError: the model has no part that could be adapted, or reads other files; names
            those that would do.
    """
    domain = domain_of(source.id)
    if source.architecture not in _architectures(domain):
        able = ", ".join(adaptable(domain)) or "none that is installed"
        raise ValueError(
            f"{source.id} ({source.architecture.split(':')[1]}) cannot be fine-tuned on other "
            f"data; of {domain.name} these can: {able}"
        )
    legal = ", ".join(domain.suffixes)
    if not data.exists():
        raise FileNotFoundError(
            f"{data} does not exist; a model of {domain.name} is fine-tuned on {legal}"
        )
    others = [other for other in domains().values() if other.recognises(data)]
    if others and domain not in others:
        able_there = adaptable(others[0])
        shown = ", ".join(able_there[:8]) or "not installed"
        raise ValueError(
            f"{source.id} is a model of {domain.name} and reads {legal}; {data.name} looks like "
            f"data of {others[0].name}, whose models are {shown}"
            f"{', ...' if len(able_there) > 8 else ''}"
        )
    return domain


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
) -> FineTuned:
    """Fine-tunes a pretrained model on data of one's own and writes the result as a model
    with a card.

    Args:
        model: name, or the path of a card.
        data: file or folder, in a format of the model's domain.
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
        log: called with a line now and then.

    Raises:
        ValueError: a model that cannot be adapted or is of another domain, and whatever the
            data lack: says what would be right.
        FileNotFoundError: no such data.
        FileExistsError: `out` holds a model already.
        ImportError: the package that writes cards is missing.
    """
    out, data = Path(out), Path(data)
    validation = None if validation is None else Path(validation)
    _check_options(out, truth, epochs=epochs, steps=steps, learning_rate=learning_rate)
    source = load_model(model)
    domain = _domain_of(source.card, data)
    tag = card.tag(data.name.split(".")[0] if name is None else name)
    began = time.perf_counter()
    options = {"label": label, "group": group, "network": network, "seed": seed}
    problem = _problem(domain, source, data, validation=validation, **options)
    for line in [*problem.notes, _sizes(problem)]:
        log(line)
    training = _training(problem, epochs, steps, learning_rate, seed=seed, log=log)
    files = [data] if validation is None else [data, validation]
    asked = (network, label, group, seed, training.steps, training.batch_size, training.rates)
    folder = out / UNFINISHED / _identity(source.card, files, asked)
    title, final, rows = _networks(problem, training, folder, probe=probe, scratch=scratch)
    for line in report.table(rows, title, problem):
        log(line)
    made = 1 if probe else training.steps
    origin = card.Origin(source.card, data, validation, truth, tag, title, seed, made)
    took = time.perf_counter() - began
    about = card.content(origin, problem, final, rows, wall_seconds=took)
    path = card.write(out, about, final, problem, seed=seed)
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)
    log(f"wrote {path}")
    return FineTuned(load_model(path), path, {row: each.scores for row, each in rows.items()})


def _check_options(out: Path, truth: str | None, **lengths: float | None) -> None:
    """
    Raises:
        ImportError, ValueError, FileExistsError: what would fail later, after the training.
    """
    if importlib.util.find_spec("tomli_w") is None:
        raise ImportError("writing cards needs tomli-w: pip install tomli-w")
    if truth is not None and truth not in card.TRUTHS:
        raise ValueError(f"truth {truth!r} is none of {', '.join(card.TRUTHS)}")
    for option, value in lengths.items():
        if value is not None and not value > 0:
            raise ValueError(f"{option}={value} must be above zero")
    if out.is_dir() and (there := sorted([*out.glob("*.toml"), *out.glob("*.safetensors")])):
        raise FileExistsError(
            f"{out} holds a model already ({there[0].name}); choose another folder, or delete it"
        )


def _problem(domain: Domain, source: PretrainedModel, data: Path, **options: Any) -> Problem:
    """What the domain makes of the user's data."""
    assert domain.adapt is not None  # it has adaptable architectures
    found: Any = registry.resolve(domain.adapt)(source, data, **options)
    if hasattr(found, "classes"):
        return Classification(found, seed=options["seed"])
    adapted: Problem = found
    return adapted


def _sizes(problem: Problem) -> str:
    return f"{problem.examples:,} to train on; validated on {problem.held_out}"


def _training(
    problem: Problem,
    epochs: float | None,
    steps: int | None,
    learning_rate: float | None,
    *,
    seed: int,
    log: Callable[[str], None],
) -> Training:
    """What the user asked for, else what the problem proposes."""
    batch = min(problem.batch_size, problem.examples)
    if steps is None:
        passes = problem.epochs if epochs is None else epochs
        steps = max(1, round(passes * problem.examples / batch))
    rates = problem.rates if learning_rate is None else (learning_rate, problem.rates[1])
    return Training(steps, batch, rates, seed, log)


def _networks(
    problem: Problem, training: Training, folder: Path, *, probe: bool, scratch: bool
) -> tuple[str, Any, dict[str, Evaluation]]:
    """What the model is, "linear probe" or "fine-tuned"; its network; and the validation
    scores of it and of everything that it is compared with.

    Args:
        folder: for the checkpoints.
        probe: fit the last layer alone.
        scratch: also train random weights.
    """
    rows = problem.references()
    if probe:
        title, final = "linear probe", problem.linear_probe()
    else:
        title, start = "fine-tuned", problem.start()
        if isinstance(problem, Classification):
            rows["linear probe"] = problem.evaluate(start)
        final = _train(problem, start, problem.loss, training, training.rates[0], folder, title)
    rows[title] = problem.evaluate(final)
    if scratch:
        random, loss = problem.scratch(training.seed), problem.scratch_loss
        random = _train(problem, random, loss, training, training.rates[1], folder, "from scratch")
        rows["from scratch"] = problem.evaluate(random)
    return title, final, rows


def _identity(source: ModelCard, data: Sequence[Path], asked: tuple[Any, ...]) -> str:
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
        repr((source.id, [each.sha256 for each in source.weights], stated, asked)).encode()
    ).hexdigest()[:16]


def _train(
    problem: Problem,
    model: Any,
    loss: Callable[..., Any],
    training: Training,
    rate: float,
    folder: Path,
    title: str,
) -> Any:
    """The network after training: AdamW, warm-up and cosine, clipped gradients, averaged
    weights; the last ones, none is chosen.

    It goes on from the checkpoints that an interrupted run left in `folder`.
    """
    import jax
    import optax
    from jax.sharding import Mesh

    from zoo.train.loop import LoopConfig, fit

    steps = training.steps
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, rate, max(1, steps // 10), max(2, steps), rate * 0.01
    )
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=0.01)
    )
    every = max(1, -(-steps // 5))
    config = LoopConfig(
        steps=steps,
        batch_size=training.batch_size,
        seed=training.seed,
        log_every=every,
        checkpoint_every=every,
        ema_decay=EMA,
    )

    def progress(row: dict[str, float]) -> None:
        training.log(
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
