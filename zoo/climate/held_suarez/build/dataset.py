"""The steps that make `climate/held_suarez`, from random noise to every file of its card.

    zoo data build climate/held_suarez                      the truth: 35 minutes, 1 GB
    zoo data build climate/held_suarez --step products      test set, climatology, solvers
    zoo data build climate/held_suarez --step regression    the linear inverse model

The work is done by `simulate` and `products` beside this file, and by
`zoo.climate.held_suarez.linear_fit`. Each step reads what the first left in the build folder
(`--out`; default: the cache) and writes into its folder `products`, from where a release
copies the files beside the card.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from zoo.climate.held_suarez import linear_fit
from zoo.climate.held_suarez.build import products, simulate

STEPS = ("truth", "products", "regression")


def build(
    out_dir: str | os.PathLike[str],
    *,
    step: str | None = None,
    years: float | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Does one step in a build folder; returns what it wrote.

    Args:
        out_dir: the build folder.
        step: one of `STEPS`; None: the first.
        years: simulated training years, of the first step alone; None: ten.
        progress: called as `progress(name, done, in_all)`.

    Raises:
        ValueError: another step, or `years` with a later one.
        FileNotFoundError: a step whose input is not there yet.
    """
    step = step or STEPS[0]
    if step not in STEPS:
        raise ValueError(f"climate/held_suarez has no step {step!r}; it has {', '.join(STEPS)}")
    if step == "truth":
        return simulate.build(out_dir, years=10.0 if years is None else years, progress=progress)
    if years is not None:
        raise ValueError(f"years={years:g} belongs to the step truth, not to {step}")
    target = Path(out_dir) / "products"
    if step == "products":
        products.write_products(out_dir, target, progress=progress)
        return target
    return linear_fit.write_regression(out_dir, target)
