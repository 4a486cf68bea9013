"""The ParticleNet weights that its authors trained on JetClass: read from their PyTorch
files, and the cards that pin these.

The files (MIT licence) are not part of this repository: they are fetched from the authors'
repository when first asked for, checked by SHA-256, and converted on every load, in a few
milliseconds. A trained batch normalisation is the affine map gamma (x - mean) /
sqrt(variance + 1e-5) + beta, which is how our module stores it
(`ParticleNetConfig(normalise=False)`): the number of trainable parameters is the
original's, and fine-tuning keeps the statistics frozen.

`write_cards` writes the cards, which a test holds against those that are shipped. Outputs agree
with the original's to 1e-4:
`tests/particle_physics/tagging/test_jetclass_weights.py`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from zoo.particle_physics.tagging.torch_archive import read_state_dict
from zoo.pretrained.weights import WeightsError

__all__ = ["describe", "load_parameters", "write_cards"]

EPSILON = 1e-5
"""PyTorch's default, which the original uses."""

COMMIT = "2925bdb249e8ef78560cc2b9b651eda3615da8c7"
SOURCE = f"https://raw.githubusercontent.com/jet-universe/particle_transformer/{COMMIT}/models"
CONFIG = {
    "classes": 10,
    "neighbours": 16,
    "channels": [[64] * 3, [128] * 3, [256] * 3],
    "hidden": [256],
    "normalise": False,
}
FILES = {
    "full": ("375b81543769f4a0bd2de9818c5885a04c735b5462a64dcadc2a088edaf3d1d2", 1_522_482),
    "kinpid": ("f56876afb26a7f0782407fc4fde2502ac23656b47a970ad912e58502a0b8839b", 1_519_154),
    "kin": ("73aff244c657db0f7b62abe9ad13ec007c17cf10057ff1ad54c320f3bd4a4f26", 1_514_546),
}
"""SHA-256 and bytes of each file at that commit."""

SETS = {
    "full": ("jetclass", "kinematics, particle identities and track displacements"),
    "kinpid": ("jetclass_kinpid", "kinematics and particle identities"),
    "kin": ("jetclass_kin", "kinematics alone"),
}


def load_parameters(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Parameters of `zoo.particle_physics.models.particle_net.ParticleNet` from a published
    `ParticleNet_<set>.pt`, by dotted name.

    Raises:
        WeightsError: the file holds no such network, or anything besides.
    """
    left = read_state_dict(path)
    found: dict[str, np.ndarray] = {}

    def take(name: str) -> np.ndarray:
        if f"mod.{name}" not in left:
            raise WeightsError(f"{path} is no published ParticleNet: it has no tensor 'mod.{name}'")
        return left.pop(f"mod.{name}").astype(np.float64)

    def affine(source: str, target: str) -> None:
        scale = take(f"{source}.weight") / np.sqrt(take(f"{source}.running_var") + EPSILON)
        found[f"{target}.scale"], found[f"{target}.shift"] = (
            scale,
            take(f"{source}.bias") - take(f"{source}.running_mean") * scale,
        )
        left.pop(f"mod.{source}.num_batches_tracked", None)

    def kernel(source: str, target: str) -> None:
        # [output, input, 1...]: a convolution of width one is a product
        weight = take(f"{source}.weight")
        found[f"{target}.kernel"] = weight.reshape(weight.shape[:2]).T

    affine("bn_fts", "inputs")
    for i in range(_count(left, "mod.edge_convs.")):
        block, ours = f"edge_convs.{i}", f"convolutions.{i}"
        for j in range(_count(left, f"mod.{block}.convs.")):
            kernel(f"{block}.convs.{j}", f"{ours}.layers.{j}")
            affine(f"{block}.bns.{j}", f"{ours}.layers.{j}.affine")
        if f"mod.{block}.sc.weight" in left:
            kernel(f"{block}.sc", f"{ours}.shortcut")
            affine(f"{block}.sc_bn", f"{ours}.shortcut.affine")
    last = _count(left, "mod.fc.") - 1
    for i in range(last):
        kernel(f"fc.{i}.0", f"hidden.{i}")
        found[f"hidden.{i}.bias"] = take(f"fc.{i}.0.bias")
    kernel(f"fc.{last}", "head")
    found["head.bias"] = take(f"fc.{last}.bias")
    if left:
        raise WeightsError(
            f"{path} holds tensors that ParticleNet has no place for: {', '.join(sorted(left)[:3])}"
        )
    return {name: np.ascontiguousarray(value, np.float32) for name, value in found.items()}


def _count(tensors: dict[str, np.ndarray], prefix: str) -> int:
    """How many numbered parts stand behind a prefix."""
    return len(
        {name.removeprefix(prefix).split(".")[0] for name in tensors if name.startswith(prefix)}
    )


def describe(feature_set: str) -> dict[str, Any]:
    """The content of one card but for its weights: facts from the paper (arXiv:2202.03772)
    and its training script."""
    tag, inputs = SETS[feature_set]
    return {
        "id": f"particle_physics/particle_net.{tag}",
        "title": f"ParticleNet, published, JetClass, {feature_set}",
        "summary": (
            "The authors' own weights, trained on 100 million simulated jets of ten classes; "
            f"inputs: {inputs}."
        ),
        "architecture": "zoo.particle_physics.models.particle_net:ParticleNet",
        "predictor": "zoo.particle_physics.tagging.predict:load_tagger",
        "converter": "zoo.particle_physics.tagging.jetclass_weights:load_parameters",
        "config": CONFIG | {"features": feature_set},
        # Two jets per call: the edges of more do not stay in a core's cache.
        "predictor_config": {"features": feature_set, "particles": 128, "batch": 2},
        "predict_file": "zoo.particle_physics.tagging.predict:predict_file",
        # One row of 100 million jets' training is enough on the board: the headline model's.
        "tasks": ["particle_physics/jet_tagging"] if feature_set == "full" else [],
        "licence": "MIT",
        "paper": "https://arxiv.org/abs/2202.03772",
        "pretrained_on": [
            "JetClass:train_100M (simulated: MadGraph, Pythia, Delphes with the CMS card)"
        ],
        "truth": "simulated",
        "training": {
            "command": (
                f"./train_JetClass.sh PN {feature_set}   # in "
                "https://github.com/jet-universe/particle_transformer"
            ),
            "data": ["JetClass:train_100M (Zenodo 6619768)"],
            "chosen_on": "JetClass:val_5M (by the authors)",
            "hardware": "not stated by the authors",
            "steps": 1_000_000,
        },
        "caveats": [
            "Trained by its authors, not by us: the wall time is not known.",
            "JetClass has a detector simulation: on jets without one, such as those of "
            "`particle_physics/jet_tagging`, its scores are zero-shot.",
            *(
                ["It expects displacements as a tracker measures them, with their errors."]
                if feature_set == "full"
                else []
            ),
        ],
    }


def write_cards(folder: Path) -> list[Path]:
    """Writes the three cards, with what is measured on the weights; these are found or fetched.

    Args:
        folder: of the cards, and of the weights where they lie beside them.

    Returns:
        The cards' paths.

    Raises:
        zoo.files.FileMissing, zoo.files.FileAltered: weights cannot be had, or are others.
    """
    from zoo import files
    from zoo.cards import ModelCard, parse
    from zoo.pretrained.model import weight_file
    from zoo.pretrained.publish import expected_output, to_toml
    from zoo.scoring import cost

    written = []
    for feature_set, (digest, size) in FILES.items():
        name = f"ParticleNet_{feature_set}.pt"
        weight = {
            "file": name,
            "sha256": digest,
            "bytes": size,
            "seed": 0,
            "urls": [f"{SOURCE}/{name}"],
        }
        content = describe(feature_set) | {"schema_version": 1, "n_params": 1, "weights": [weight]}
        path = files.get(weight_file(parse(content, ModelCard, where=name), 0), folder=folder)
        content["n_params"] = cost.count_parameters(load_parameters(path))
        checked = parse(content, ModelCard, where=name)
        content["expected"] = expected_output(checked, [path])
        written.append(folder / f"{checked.id.split('/')[1]}.toml")
        files.write_text(written[-1], to_toml(content))
    return written
