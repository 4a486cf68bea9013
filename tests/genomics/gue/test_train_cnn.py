"""A small CNN learns a motif and leaves a file that loads."""

from __future__ import annotations

import numpy as np
from flax import nnx
from motif_tables import TINY_CNN, motif_table

from zoo.genomics.gue import recipes, train_cnn
from zoo.genomics.models.sequence_cnn import SequenceCNN, SequenceCNNConfig
from zoo.pretrained import weights


def test_training_learns_a_motif_and_leaves_a_file_that_loads(tmp_path):
    tables = {"train": motif_table(600, 101, 1), "dev": motif_table(300, 101, 2)}
    recipe = recipes.CNNRecipe(
        title="tiny",
        paper="https://doi.org/10.1038/nbt.3300",
        summary="tiny",
        network=dict(TINY_CNN, filters=16, channels=16),
        epochs=1,
        least_steps=250,
        learning_rate=2e-3,
    )
    model, facts = train_cnn.train_subset(
        "tf_0", recipe, seed=0, load=lambda subset, split: tables[split]
    )
    assert facts["dev"]["auroc"] > 0.8 and facts["died"] is None
    weights.save(tmp_path / "model.safetensors", model)
    again = weights.restore(
        SequenceCNN(SequenceCNNConfig(length=101, **recipe.network), rngs=nnx.Rngs(7)),
        weights.load(tmp_path / "model.safetensors")[0],
    )
    tokens = tables["dev"].tokens
    np.testing.assert_allclose(
        train_cnn.cnn_logits(again, tokens, strands=True),
        train_cnn.cnn_logits(model, tokens, strands=True),
        atol=1e-5,
    )
