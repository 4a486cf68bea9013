"""`zoo train TASK ARCHITECTURE`: a model trained by the recipe of its task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo import files, registry


def train(
    task: str,
    architecture: str | None,
    *,
    seed: int = 0,
    data: Path | None = None,
    out: Path | None = None,
    steps: int | None = None,
) -> Iterator[str]:
    """Runs a task's recipe; gives lines of progress.

    Args:
        task: its name.
        architecture: one that the recipe knows.
        seed: of the weights and of the order of examples.
        data: folder of the training data; default: where `zoo data build` put it.
        out: folder for checkpoints, log and weights; default: in the cache.
        steps: fewer than the recipe's, to try it out.

    Raises:
        zoo.registry.UnknownName: no such task.
        ValueError: the task has no recipe, or no architecture was named.
    """
    spec = registry.task(task)
    if spec.train is None:
        able = [each for each, other in registry.tasks().items() if other.train]
        raise ValueError(
            f"{task} has no training recipe; tasks that have one: {', '.join(able) or 'none'}"
        )
    if architecture is None:
        raise ValueError(
            f"say which architecture: zoo train {task} ARCHITECTURE; or --from MODEL to fine-tune "
            "on your own data"
        )
    recipe = registry.resolve(spec.train)
    out = out or files.home() / "train" / f"{task.replace('/', '.')}.{architecture}.seed{seed}"
    yield from recipe(architecture, seed=seed, data=data, out=out, steps=steps)
