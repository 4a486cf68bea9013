"""Writes `particle_net_expected.npz`: what the PyTorch original answers to made-up jets with the published weights.

    pip install torch "weaver-core==0.5.3"       # in an environment of its own
    python tests/particle_physics/make_expected_particle_net.py FOLDER_WITH_THE_PT_FILES

The network is weaver-core's own, with the settings of `networks/example_ParticleNet.py` in github.com/jet-universe/particle_transformer.
Only the outputs are stored: the inputs come from `published_inputs`, which needs NumPy alone and is imported by the test, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

TARGET = Path(__file__).with_name("particle_net_expected.npz")
FEATURES = {"kin": 7, "kinpid": 13, "full": 17}
COUNTS = (128, 100, 64, 40, 17, 16, 5, 1)
"""Particles of each jet: also fewer than there are neighbours, and one."""


def published_inputs(feature_set: str) -> tuple[np.ndarray, np.ndarray]:
    """Features `[8, 128, feature]`, zero behind each jet's particles, and the mask `[8, 128]`."""
    random, count = np.random.default_rng(7), FEATURES[feature_set]
    mask = np.arange(128) < np.array(COUNTS)[:, None]
    features = random.normal(0.0, 0.5, (8, 128, count))
    if count > 7:  # charge and five flags
        kind = random.integers(0, 5, (8, 128))
        features[..., 5] = np.where(np.isin(kind, (0, 3, 4)), random.choice([-1, 1], (8, 128)), 0)
        features[..., 6:11] = kind[..., None] == np.arange(5)
    if count > 13:
        features[..., 11:15] = np.abs(0.1 * features[..., 11:15])
    features[..., -2:] = random.normal(0.0, 0.2, (8, 128, 2))
    return (features * mask[..., None]).astype(np.float32), mask


def main(folder: str) -> None:
    """Runs the original on each feature set."""
    import torch
    from weaver.nn.model.ParticleNet import ParticleNet

    expected = {}
    for feature_set, count in FEATURES.items():
        model = ParticleNet(
            input_dims=count, num_classes=10, conv_params=[(16, (64,) * 3), (16, (128,) * 3), (16, (256,) * 3)],
            fc_params=[(256, 0.1)], use_fusion=False, use_fts_bn=True, use_counts=True,
        )
        state = torch.load(Path(folder) / f"ParticleNet_{feature_set}.pt", map_location="cpu", weights_only=True)
        model.load_state_dict({name.removeprefix("mod."): value for name, value in state.items()})
        features, mask = published_inputs(feature_set)
        x = torch.from_numpy(features).transpose(1, 2).contiguous()
        with torch.no_grad():
            logits = model.eval()(x[:, -2:].clone(), x.clone(), torch.from_numpy(mask)[:, None].float())
        expected[feature_set] = logits.numpy()
    np.savez(TARGET, **expected)
    print(TARGET, {name: value.std() for name, value in expected.items()})


if __name__ == "__main__":
    main(sys.argv[1])
