"""A benchmark small enough to be run in milliseconds, with a data set, baselines and a model, in a folder of its own.

The truth is an autoregressive series; a forecast is the present value times a factor, so which row is best is known.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.task import Arrays, Examples, Task

calls: list[str] = []
"""Which predictors were called, in order."""
broken: set[str] = set()
"""Which predictors fail."""

N = 60
ID = "climate/toy"

SPEC = """
schema_version = 1
id = "climate/toy"
version = 3
title = "A toy"
truth = "simulated"
summary = "An autoregressive series."
dataset = "climate/toy"
split = "test"
code = "synthetic_task:Toy"
needs = ["series.npy"]
headline = "rmse.step1"
tolerance = 1e-3
protocol = "Forecast one and two steps."

[resampling]
unit = "time"
method = "stationary_block_bootstrap"
mean_block = 4
resamples = 400
seed = 7

[[table]]
metric = "rmse.step1"
label = "RMSE 1"
[[table]]
metric = "rmse.step2"
label = "RMSE 2"

[[metric]]
name = "rmse"
label = "root mean square error"
unit = "1"
direction = "lower"
at = ["step1", "step2"]
positions = [1, 2]
formula = "sqrt(mean (f - t)^2)"

[[metric]]
name = "share_given"
label = "share of forecasts given"
unit = "1"
direction = "higher"
formula = "mean [given]"

[[baseline]]
id = "climate/zero"
title = "Zero"
kind = "baseline"
code = "synthetic_task:scaled"
config = { name = "zero", factor = 0.0 }

[[baseline]]
id = "climate/best"
title = "The true factor"
kind = "solver"
code = "synthetic_task:scaled"
config = { name = "best", factor = 0.9 }
note = "knows the truth"

[[baseline]]
id = "climate/best_twin"
title = "Nearly the true factor"
kind = "baseline"
code = "synthetic_task:scaled"
config = { name = "best_twin", factor = 0.8999 }

[[baseline]]
id = "climate/short"
title = "Gives the first step only"
kind = "baseline"
code = "synthetic_task:scaled"
config = { name = "short", factor = 0.5, steps = 1 }

[[baseline]]
id = "climate/needy"
title = "Needs one more file"
kind = "baseline"
code = "synthetic_task:scaled"
config = { name = "needy", factor = 0.5 }
needs = ["extra.npy"]
"""


class Toy(Task):
    """Forecasts of a series one and two steps ahead."""

    def examples(self) -> Examples:
        series = np.load(self.file("series.npy"))
        ids = tuple(f"t{i:03d}" for i in range(N))
        return Examples(ids, series[:N], np.stack([series[1 : N + 1], series[2 : N + 2]], axis=1))

    def record(self, predictions: np.ndarray, examples: Examples) -> Arrays:
        whole = np.full(examples.targets.shape, np.nan)
        whole[:, : predictions.shape[1]] = predictions
        return {"error": whole - examples.targets}

    def statistics(self, record: Mapping[str, np.ndarray]) -> Arrays:
        given = np.isfinite(record["error"])
        return {"squared_error": np.nan_to_num(record["error"]) ** 2, "count": given.astype(float)}

    def values(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        rmse = np.sqrt(means["squared_error"] / means["count"])
        return {"rmse.step1": rmse[..., 0], "rmse.step2": rmse[..., 1], "share_given": means["count"].mean(axis=-1)}


def scaled(task: Any, *, name: str, factor: float, steps: int = 2) -> Any:
    """The present value times a power of a factor."""

    def forecast(inputs: np.ndarray) -> np.ndarray:
        calls.append(name)
        if name in broken:
            raise RuntimeError(f"{name} broke")
        return np.stack([inputs * factor**step for step in range(1, steps + 1)], axis=1)

    return forecast


def from_weights(card: Any, paths: list[Path]) -> Any:
    """A model whose one parameter is the factor; an ensemble averages."""
    from zoo.weights import load

    factor = float(np.mean([load(path)[0]["factor"] for path in paths]))
    return scaled(None, name="model", factor=factor)


def build(root: Path) -> Path:
    """Writes the share root (cards, data) and a plug-in package `toy_models` (card and weights) under `root`; returns the share root."""
    from zoo import weights

    share = root / "share"
    series = _series()
    data = root / "data"
    data.mkdir(parents=True)
    np.save(data / "series.npy", series)
    folder = share / "datasets/climate/toy"
    folder.mkdir(parents=True)
    content = (data / "series.npy").read_bytes()
    (folder / "series.npy").write_bytes(content)
    (folder / "card.toml").write_text(
        f'''
schema_version = 1
id = "climate/toy"
version = "1"
title = "A toy series"
truth = "simulated"
summary = "Autoregressive, factor 0.9."
loader = "numpy:load"
licence = "CC0-1.0"
citation = ["none"]
splits = {{ test = "all" }}

[[file]]
name = "series.npy"
path = "series.npy"
urls = ["https://example.org/data/series.npy"]
sha256 = "{hashlib.sha256(content).hexdigest()}"
bytes = {len(content)}
licence = "CC0-1.0"
role = "truth"
redistributable = true

[[file]]
name = "extra.npy"
urls = ["https://example.org/data/extra.npy"]
sha256 = "{"0" * 64}"
bytes = 1234567
licence = "CC0-1.0"
role = "one row needs it"
redistributable = true
'''
    )
    benchmark = share / "benchmarks/climate/toy.toml"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text(SPEC)
    package = root / "plugins/toy_models"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('a plug-in must not be imported to be listed')\n")
    lines = []
    for seed, factor in enumerate((0.7, 0.8, 0.75)):
        path = package / f"line.seed{seed}.safetensors"
        weights.save(path, {"factor": np.array([factor], np.float32)})
        content = path.read_bytes()
        lines.append({"file": path.name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "seed": seed})
    listed = "\n".join("[[weights]]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in line.items()) for line in lines)
    (package / "line.toy.toml").write_text(
        f'''
schema_version = 1
id = "climate/line.toy"
title = "One factor, learned"
summary = "A straight line."
architecture = "synthetic_task:Toy"
predictor = "synthetic_task:from_weights"
tasks = ["climate/toy"]
n_params = 1
licence = "Apache-2.0"
paper = "https://example.org/paper"
truth = "simulated"
{listed}

[training]
command = "zoo train climate/toy line"
data = ["climate/toy:train"]
chosen_on = "climate/toy:validation"
hardware = "pencil"
wall_seconds = 1.0
steps = 1
'''
    )
    info = root / "plugins/toy_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[zoo.models]\ntoy = toy_models\n")
    return share


def _series() -> np.ndarray:
    rng = np.random.default_rng(11)  # of 200 seeds the one whose sample comes nearest to the true factor
    series = np.zeros(N + 2)
    for i in range(1, N + 2):
        series[i] = 0.9 * series[i - 1] + rng.normal(scale=0.3)
    return series


def forget_cards() -> None:
    """Makes the registry read all cards again."""
    from zoo import registry

    for cached in (registry._datasets, registry._tasks, registry._models):
        cached.cache_clear()
