"""Training of the jet taggers.

    zoo train particle_physics/jet_tagging particle_transformer --seed 0
    zoo train particle_physics/jet_tagging fine_tune.particle_net --seed 0
    zoo train particle_physics/top_tagging pfn --seed 0 --data BUILD

Every network sees the hardest constituents, standardised as JetClass's configuration does,
each jet rotated by a random angle about its axis and mirrored at random: the physics of a
jet is, to a good approximation, the same after that. The last weights (averaged
exponentially) are the model: no epoch is chosen.

`fine_tune.*` starts from weights that exist: the published ParticleNet of JetClass, or a
network of ours that tells ten classes. Settings, costs and scores: `recipes`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from zoo import files, registry
from zoo.particle_physics.data.jets import CLASSES, Jets, concatenate
from zoo.particle_physics.data.read import read_jets, split_files
from zoo.particle_physics.models.features import COLUMNS, FEATURE_SETS, network_inputs
from zoo.particle_physics.tagging.predict import JetTagger
from zoo.particle_physics.tagging.recipes import DATASETS, MODELS, RECIPES, TaggerRecipe, describe
from zoo.pretrained.run import write_run
from zoo.scoring.environment import hardware
from zoo.scoring.scores import auroc
from zoo.train.loop import LoopConfig, fit

NOTHING_LEARNED = 0.99
"""Share of the cross-entropy of knowing nothing from which a run has died."""


def train_jet_tagging(recipe: str, **options: Any) -> Iterator[str]:
    """`zoo train particle_physics/jet_tagging <recipe>`; options as `train`."""
    return train(f"jet_tagging/{recipe}", **options)


def train_top_tagging(recipe: str, **options: Any) -> Iterator[str]:
    """`zoo train particle_physics/top_tagging <recipe>`; options as `train`."""
    return train(f"top_tagging/{recipe}", **options)


def train_quark_gluon(recipe: str, **options: Any) -> Iterator[str]:
    """`zoo train particle_physics/quark_gluon <recipe>`; options as `train`."""
    return train(f"quark_gluon/{recipe}", **options)


def train(
    recipe: str, *, seed: int, data: Path | None, out: Path, steps: int | None = None
) -> Iterator[str]:
    """Trains one network and leaves a run; resumes where an interrupted one stopped.

    Args:
        recipe: `<task>/<name>`, a key of `RECIPES`.
        seed: of the initial weights and of the order of jets.
        data: build folder of the task's dataset; None: where `zoo data build` puts it.
        out: of the run, its checkpoints and `history.jsonl`.
        steps: fewer than the recipe.

    Yields:
        What is done, and where the run is.

    Raises:
        ValueError: no such recipe; lists those there are.
        FileNotFoundError: the jets were not built yet.
    """
    task, _, name = recipe.partition("/")
    if recipe not in RECIPES:
        known = [each.partition("/")[2] for each in RECIPES if each.startswith(f"{task}/")]
        raise ValueError(
            f"particle_physics/{task} has no recipe {name!r}; it has {', '.join(known)}"
        )
    chosen = RECIPES[recipe]
    folder = data or files.home() / "build" / "particle_physics" / DATASETS[task]
    yield f"{recipe}, seed {seed}, from {folder}, into {out}"
    jets, held_out = (load_split(folder, split, task, chosen) for split in ("train", "validation"))
    total = max(20, int(chosen.epochs * len(jets) / chosen.batch_size))
    total = total if steps is None else min(total, steps)
    begin = time.perf_counter()
    model = fit_network(chosen, task, jets, steps=total, seed=seed, out=out)
    scores = validation_scores(model, chosen, task, held_out)
    yield "validation: " + " ".join(f"{key} {value:.4f}" for key, value in scores.items())
    short = "" if steps is None else f" --steps {steps}"
    described = describe(
        recipe,
        config=dataclasses.asdict(model.config),
        jets=len(jets),
        steps=total,
        command=f"zoo train particle_physics/{task} {name} --seed {seed}{short}",
        hardware=hardware(),
        wall_seconds=time.perf_counter() - begin,
        validation=scores,
    )
    card = write_run(
        out,
        model,
        [described],
        task=f"particle_physics/{task}",
        recipe=name,
        seed=seed,
        storage="float16",
        died=failure(scores, len(CLASSES[task])),
    )
    yield f"wrote {card}"


def failure(scores: Mapping[str, float], classes: int) -> str | None:
    """Why a training failed, from its validation scores; None: it did not."""
    reference = math.log(classes)
    if scores["cross_entropy"] < NOTHING_LEARNED * reference:
        return None
    return (
        f"cross-entropy {scores['cross_entropy']:.3f} on validation, that of knowing nothing is "
        f"{reference:.3f}"
    )


@dataclasses.dataclass(frozen=True)
class TrainingJets:
    """Jets of one split as the training loop wants them: a dict of arrays with one leading
    length."""

    arrays: dict[str, np.ndarray]
    columns: tuple[str, ...]

    @classmethod
    def of(cls, jets: Jets, columns: Sequence[str]) -> TrainingJets:
        """Only what the feature set needs."""
        places = [jets.columns.index(name) for name in columns]
        particles = (
            jets.particles
            if places == list(range(len(jets.columns)))
            else jets.particles[..., places]
        )
        arrays = {
            "particles": particles,
            "mask": jets.mask,
            "pt": jets.scalars["jet_pt"],
            "energy": jets.scalars["jet_energy"],
            "label": jets.label.astype(np.int32),
        }
        return cls(arrays, tuple(columns))


def load_split(folder: Path, split: str, task: str, recipe: TaggerRecipe) -> Jets:
    """The jets of a split from a build folder, classes in equal parts.

    Raises:
        FileNotFoundError: the folder holds no file of the split or of a class; says what to run.
    """
    parts = []
    for name in CLASSES[task]:
        paths = split_files(
            folder, split, name, build=f"zoo data build particle_physics/{DATASETS[task]}"
        )
        jets = read_jets(
            paths,
            max_particles=recipe.particles,
            columns=COLUMNS[recipe.features],
            classes=CLASSES[task],
        )
        parts.append(jets[: recipe.per_class] if recipe.per_class and split == "train" else jets)
    fewest = min(map(len, parts))
    return concatenate([part[:fewest] for part in parts])


def rotate_and_mirror(features: jax.Array, key: jax.Array) -> jax.Array:
    """Features with each jet's (deta, dphi), the last two, turned by a random angle and
    mirrored at random."""
    angle_key, mirror_key = jax.random.split(key)
    angle = jax.random.uniform(angle_key, (len(features), 1), maxval=2.0 * jnp.pi)
    sign = jax.random.rademacher(mirror_key, (len(features), 1), dtype=features.dtype)
    a, b = features[..., -2], features[..., -1] * sign
    pair = [a * jnp.cos(angle) - b * jnp.sin(angle), a * jnp.sin(angle) + b * jnp.cos(angle)]
    return jnp.concatenate([features[..., :-2], jnp.stack(pair, -1)], -1)


def make_loss(recipe: TaggerRecipe) -> Any:
    """Cross-entropy and accuracy of a batch."""
    names, columns = FEATURE_SETS[recipe.features], COLUMNS[recipe.features]

    def loss(
        model: nnx.Module, batch: dict[str, jax.Array], key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        features, vectors = network_inputs(
            batch["particles"],
            batch["mask"],
            batch["pt"],
            batch["energy"],
            names=names,
            columns=columns,
            xp=jnp,
        )
        logits = model(rotate_and_mirror(features, key), vectors, batch["mask"])
        value = optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"]).mean()
        return value, {"accuracy": (logits.argmax(-1) == batch["label"]).mean()}

    return loss


def build_model(recipe: TaggerRecipe, task: str, *, seed: int) -> nnx.Module:
    """The network before training: random, or a pretrained model's (whose classes must then
    begin with the task's)."""
    from zoo.pretrained.model import config_class, load_model

    architecture = registry.resolve(MODELS[recipe.model])
    if recipe.start is not None:
        start = load_model(recipe.start).module()
        model = architecture(
            dataclasses.replace(start.config, **recipe.config), rngs=nnx.Rngs(seed)
        )
        nnx.update(model, nnx.state(start))
        return model
    config = config_class(MODELS[recipe.model])(
        features=recipe.features, classes=len(CLASSES[task]), **recipe.config
    )
    return architecture(config, rngs=nnx.Rngs(seed))


def fit_network(
    recipe: TaggerRecipe, task: str, jets: Jets, *, steps: int, seed: int, out: Path
) -> Any:
    """The trained network; its losses go to `history.jsonl` and to standard error as they come."""
    rate = optax.warmup_cosine_decay_schedule(
        0.0, recipe.learning_rate, max(1, steps // 20), steps, recipe.learning_rate * 0.01
    )
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=recipe.weight_decay)
    )
    config = LoopConfig(
        steps=steps,
        batch_size=recipe.batch_size,
        seed=seed,
        log_every=min(100, steps),
        checkpoint_every=500,
        ema_decay=0.998,
        microbatch_size=recipe.microbatch_size,
    )
    out.mkdir(parents=True, exist_ok=True)

    def progress(row: dict[str, float]) -> None:
        with (out / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({k: round(v, 5) for k, v in row.items()}) + "\n")
        line = f"step {int(row['step'])}/{steps}: loss {row['loss']:.4f}"
        print(f"{line} accuracy {row['accuracy']:.4f}", file=sys.stderr, flush=True)

    return fit(
        build_model(recipe, task, seed=seed),
        make_loss(recipe),
        TrainingJets.of(jets, COLUMNS[recipe.features]).arrays,
        optimiser,
        config=config,
        checkpoint_dir=(out / "checkpoints").resolve(),
        on_progress=progress,
    ).model


def validation_scores(
    model: nnx.Module, recipe: TaggerRecipe, task: str, jets: Jets
) -> dict[str, float]:
    """Accuracy, cross-entropy and, for two classes, AUC on the validation jets."""
    tagger = JetTagger(
        [model], feature_set=recipe.features, particles=recipe.particles, classes=CLASSES[task]
    )
    probability = tagger(jets)["probability"].astype(np.float64)
    chosen = np.maximum(probability[np.arange(len(jets)), jets.label], 1e-12)
    scores = {
        "accuracy": float((probability.argmax(1) == jets.label).mean()),
        "cross_entropy": float(-np.log(chosen).mean()),
    }
    if len(CLASSES[task]) == 2:
        signal = jets.label == 1
        scores["auc"] = float(auroc(probability[:, 1], signal))
    return scores
