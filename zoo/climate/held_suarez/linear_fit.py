"""Fits the linear inverse model of `zoo.climate.held_suarez.baselines.linear_regression` in
closed form.

    zoo data build climate/held_suarez --step regression

reads the training trajectories that the step before made. The number of EOFs a wavenumber
and the ridge are chosen on the validation trajectory (five-day error). About two minutes on
two cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from zoo import files
from zoo.climate.data.grid import area_weights
from zoo.climate.held_suarez.baselines import to_waves
from zoo.climate.held_suarez.data import VARIABLES, finished

MODES = (10, 20, 40)
SPLITS = ("train", "validation")
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)


def fit(
    train: list[np.ndarray],
    validation: np.ndarray,
    *,
    mean: np.ndarray,
    scale: np.ndarray,
    weights: np.ndarray,
    log: Callable[[str], None] = print,
) -> dict[str, np.ndarray]:
    """The parameters of the model.

    Args:
        train: trajectories `[day, longitude, channel, latitude]`, physical units; pairs are
            never made across trajectories.
        validation: one more trajectory of the same form.
        mean, scale: climatology `[channel, latitude]` and standard deviations `[channel, 1]`.
        weights: area weights `[latitude]`.
        log: told the error of each choice.

    Returns:
        `mean`, `scale`, `root` (of the weights), `eof_*` `[wave, channel * latitude, mode]`
        as float16, `step_*` `[wave, mode, mode]`.
    """
    root = np.sqrt(weights)
    parts = [to_waves(fields, mean, scale, root) for fields in train]
    held = to_waves(validation, mean, scale, root)
    n_waves, size = held.shape[1:]
    eof = np.empty((n_waves, size, max(MODES)), np.complex64)
    for wave in range(n_waves):
        every = np.concatenate([part[:, wave] for part in parts])
        eof[wave] = np.linalg.eigh(every.conj().T @ every)[1][:, ::-1][:, : max(MODES)]
    # as stored, so that the steps fit what will be used
    eof = eof.real.astype(np.float16) + 1j * eof.imag.astype(np.float16)
    amplitudes = [np.einsum("twc,wcm->twm", part, eof, optimize=True) for part in parts]
    held_amplitude = np.einsum("twc,wcm->twm", held, eof, optimize=True)
    choices: list[tuple[float, np.ndarray]] = []
    for modes in MODES:
        now = np.concatenate([part[:-1, :, :modes] for part in amplitudes])
        ahead = np.concatenate([part[1:, :, :modes] for part in amplitudes])
        gram = np.einsum("twm,twn->wmn", now.conj(), now, optimize=True)
        cross = np.einsum("twm,twn->wmn", now.conj(), ahead, optimize=True)
        for ridge in RIDGES:
            size_of_noise = ridge * np.trace(gram, axis1=1, axis2=2).real / modes
            step = np.linalg.solve(gram + size_of_noise[:, None, None] * np.eye(modes), cross)
            error = _forecast_error(held_amplitude, step)
            log(
                f"{modes:3d} EOFs a wavenumber, ridge {ridge:g}: five-day validation error "
                f"{error:.4f}"
            )
            choices.append((error, step))
    best = min(choices, key=lambda choice: choice[0])[1]
    modes = best.shape[-1]
    return {
        "mean": mean.astype(np.float32),
        "scale": scale.astype(np.float32),
        "root": root.astype(np.float32),
        "eof_real": eof[..., :modes].real.astype(np.float16),
        "eof_imag": eof[..., :modes].imag.astype(np.float16),
        "step_real": best.real.astype(np.float32),
        "step_imag": best.imag.astype(np.float32),
    }


def _forecast_error(amplitude: np.ndarray, step: np.ndarray, days: int = 5) -> float:
    """Mean squared error of days 1 to `days`, in the units of the weighted anomalies; modes
    beyond the model's count in full."""
    modes = step.shape[-1]
    state = amplitude[:-days, :, :modes]
    error = 0.0
    for day in range(1, days + 1):
        state = np.einsum("twm,wmn->twn", state, step, optimize=True)
        truth = amplitude[day : len(amplitude) - days + day]
        error += float(
            np.mean(
                np.sum(np.abs(truth[..., :modes] - state) ** 2, (1, 2))
                + np.sum(np.abs(truth[..., modes:]) ** 2, (1, 2))
            )
        )
    return error / days


def write_regression(
    build_dir: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    *,
    log: Callable[[str], None] = print,
) -> Path:
    """Reads the build, fits, writes `linear_regression.safetensors`; about two minutes on two
    cores."""
    from zoo.climate.data.packed import open_zarr_zip
    from zoo.pretrained.weights import save

    def daily(trajectory: list[Path]) -> np.ndarray:
        whole = []
        for path in trajectory:
            chunk = open_zarr_zip(path).isel(time=slice(None, None, 4))
            fields = [
                chunk[name].transpose("time", "longitude", "level", "latitude").values
                for name in VARIABLES
            ]
            whole.append(np.concatenate(fields, axis=2).astype(np.float32))
        return np.concatenate(whole)

    train, validation = ([each for each in finished(build_dir, split) if each] for split in SPLITS)
    if not train or not validation:
        raise FileNotFoundError(
            f"{build_dir} has no finished chunk of {' and of '.join(SPLITS)}: let `zoo data build "
            "climate/held_suarez` finish first"
        )
    climate = open_zarr_zip(
        files.share() / "datasets/climate/held_suarez/climatology.zarr.zip"
    ).load()
    mean = np.concatenate([climate[name].values for name in VARIABLES])
    scale = np.concatenate([climate[f"{name}_std"].values for name in VARIABLES])[:, None]
    parameters = fit(
        [daily(trajectory) for trajectory in train],
        daily(validation[0]),
        mean=mean,
        scale=scale,
        weights=area_weights(climate["latitude"].values),
        log=log,
    )
    output = Path(out_dir) / "linear_regression.safetensors"
    output.parent.mkdir(parents=True, exist_ok=True)
    save(output, parameters, metadata={"trajectories": [each[0].parent.name for each in train]})
    return output
