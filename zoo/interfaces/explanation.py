"""What a domain tells `zoo explain` about one of its models, and what it gets back to draw.

A domain's `explain.py` turns a pretrained model and some examples into an `Explainable`: a
differentiable score with its inputs, and how attributions of these inputs become something
to look at. `zoo.commands.explain` runs the methods; nothing here knows a domain.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRADIENTS = ("saliency", "gradient_x_input", "smooth_grad", "integrated_gradients")
METHODS = (*GRADIENTS, "ism", "occlusion", "surrogate", "attention")
TITLES = {
    "saliency": "gradient",
    "gradient_x_input": "gradient x input",
    "smooth_grad": "SmoothGrad",
    "integrated_gradients": "integrated gradients",
    "ism": "in-silico mutagenesis",
    "occlusion": "occlusion",
    "surrogate": "linear surrogate",
    "attention": "attention",
}


class NotExplainable(ValueError):
    """This model, method or input cannot be explained; the message says why and what can."""


@dataclasses.dataclass(frozen=True)
class Explained:
    """One method's answer.

    Attributes:
        method: its name.
        values: `[n, ...]`, what is drawn: one number a position, particle, grid point or index.
        letters: `[n, position, letter]` for sequences, where the method says something of
            each letter.
        score: `[n]`, what was explained.
        notes: `[n]` numbers that say how far to trust it: `completeness_error`, `r2`.
        maps: attention alone: layer -> `[n, head, query, key]`.
    """

    method: str
    values: np.ndarray
    score: np.ndarray
    letters: np.ndarray | None = None
    notes: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    maps: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Explainable:
    """A model and examples, ready for `zoo.attribution`.

    Attributes:
        function: differentiable score `[n]` of inputs `[n, ...]`; any number of rows.
        inputs: float32 `[n, ...]`.
        names: of the examples, `[n]`; letters, digits, `-`, `_` and `.`: they name files.
        target: what the score is, in words.
        truth: what the inputs are: simulated, observed, ...
        baselines: `[baseline, n, ...]` of integrated gradients.
        baseline: what they are, in words.
        fill: what stands for a part that is taken away, broadcast against inputs.
        groups: integers, broadcast against one input: the parts that occlusion and the
            surrogate take away, 0..G-1; -1: never.
        reduce: attributions `[n, ...]` of single inputs to what is drawn: a sum, possibly
            with positive weights.
        spread: one number a group `[n, G]` to what is drawn.
        draw: figure of one example: `(row, explained) -> figure`.
        letters: axis of one-hot letters.
        mutagenesis: faster than `zoo.attribution.in_silico_mutagenesis`: gains
            `[n, position, letter]`.
        attention: layer -> weights `[n, head, query, key]`, where the model has attention.
        batch: inputs a call: few where a network's own arrays are large.
        arrays: stored beside the attributions (coordinates, tokens), by name.
    """

    function: Callable[[Any], Any]
    inputs: np.ndarray
    names: tuple[str, ...]
    target: str
    truth: str
    baselines: np.ndarray
    baseline: str
    fill: Any
    groups: np.ndarray
    reduce: Callable[[np.ndarray], np.ndarray]
    spread: Callable[[np.ndarray], np.ndarray]
    draw: Callable[[int, Explained], Figure]
    letters: int | None = None
    mutagenesis: Callable[[], np.ndarray] | None = None
    attention: Callable[[], dict[str, np.ndarray]] | None = None
    batch: int = 256
    arrays: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def methods(self) -> tuple[str, ...]:
        """The methods that make sense here."""
        left = {"ism": self.letters is not None, "attention": self.attention is not None}
        return tuple(method for method in METHODS if left.get(method, True))


def canvas(width: float, height: float, title: str) -> Figure:
    """An empty figure with a title, drawn without a display."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontsize=10)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Writes a figure; equal figures are equal bytes."""
    from zoo import files

    with files.whole(path) as temporary:
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(temporary, dpi=150, format=path.suffix[1:], metadata=metadata)
    return path


def attention_figure(explained: Explained, row: int, title: str, *, places: str) -> Figure:
    """Mean attention over heads of each layer `[query, key]`, side by side, on one colour scale.

    Args:
        explained: with `maps`.
        row: example.
        title: of the figure.
        places: what queries and keys are, in the plural.
    """
    maps = {name: value[row].mean(0) for name, value in explained.maps.items()}
    figure = canvas(1.2 + 3.0 * len(maps), 3.5, title)
    grid = figure.subplots(1, len(maps), squeeze=False)[0]
    top = max(float(np.quantile(each, 0.995)) for each in maps.values())
    images = []
    for axes, (name, each) in zip(grid, maps.items(), strict=True):
        image = axes.imshow(
            each,
            cmap="viridis",
            vmin=0.0,
            vmax=top,
            aspect="auto" if len(each) == 1 else "equal",
            interpolation="nearest",
        )
        images.append(image)
        axes.set_title(name, fontsize=9)
        axes.set_xlabel(f"key ({places})", fontsize=8)
        axes.tick_params(labelsize=7)
        if len(each) == 1:
            axes.set_yticks([])
    grid[0].set_ylabel(f"query ({places})", fontsize=8)
    bar = figure.colorbar(images[-1], ax=list(grid), shrink=0.8)
    bar.set_label("attention, mean over heads", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure
