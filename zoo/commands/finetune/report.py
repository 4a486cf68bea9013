"""What a fine-tuning prints: the table of validation scores, and what was gained over each row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zoo.interfaces.finetune import Evaluation, Problem


def table(rows: Mapping[str, Evaluation], title: str, problem: Problem) -> list[str]:
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
