"""Fine-tuning leaves frozen kernels alone, and never turns a promoter over."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from motif_tables import SMALL, SUBSETS, random_tokens, small_tables
from random_modules import drawn

from zoo.genomics.data.sequences import reverse_complement
from zoo.genomics.gue import predict as predict_gue
from zoo.genomics.gue import pretraining, recipes, train_encoder
from zoo.genomics.gue.strands import STRAND_SYMMETRIC_SUBSETS
from zoo.genomics.models import low_rank as low_rank_model
from zoo.pretrained import weights


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """An encoder pre-trained for four steps and tuned to one subset for eight; its weights,
    and what it says of itself."""
    folder, load = tmp_path_factory.mktemp("encoders"), small_tables(*SUBSETS)
    schedule = recipes.Schedule(1.0, batch_size=16, network=SMALL | {"depth": 1})
    pretraining.pretrain(
        schedule, seed=0, out=folder / "pretraining", subsets=SUBSETS, load=load, steps=4
    )
    start = folder / "pretraining" / pretraining.NETWORK
    schedule = dataclasses.replace(schedule, rank=2, learning_rate=1e-2)
    model, facts = train_encoder.tune(
        "tf_0", schedule, seed=0, out=folder / "tf_0", start=start, load=load, steps=8
    )
    path = folder / "tf_0" / pretraining.NETWORK
    weights.save(path, model)
    return path, facts, schedule, start, load


@pytest.mark.slow
def test_tuning_leaves_the_frozen_kernels_and_trains_the_rest(tuned):
    path, facts, _, start, _ = tuned
    own, before = weights.load(path)[0], weights.load(start)[0]
    assert np.isfinite(facts["loss"])
    assert (
        "blocks.0.up.down" in own
        and "blocks.0.up.kernel" not in own
        and "convolutions.2.kernel" not in own
    )
    assert np.abs(own["convolutions.0.kernel"] - before["convolutions.0.kernel"]).max() > 1e-4
    assert np.abs(own["blocks.0.up.up"]).max() > 1e-4


@pytest.mark.slow
def test_a_network_tuned_from_nothing_is_another_than_one_from_weights(tuned):
    _, _, schedule, start, _ = tuned
    with_start, without = (
        train_encoder.network("tf_0", schedule, seed=0, start=path) for path in (start, None)
    )
    kernels = [model.blocks[0].up.kernel[...] for model in (with_start, without)]
    np.testing.assert_array_equal(kernels[0], weights.load(start)[0]["blocks.0.up.kernel"])
    assert np.abs(kernels[0] - kernels[1]).max() > 1e-3


@pytest.mark.parametrize(("subset", "turns"), [("prom_core_tata", False), ("tf_0", True)])
def test_a_promoter_is_never_turned_in_training(subset, turns):
    tokens = random_tokens(40, recipes.BASES[subset])
    seen = []

    class Spy(nnx.Module):
        def classify(self, tokens, *, key=None):
            seen.append(np.asarray(tokens))
            return jnp.zeros((len(tokens), 1))

    batch = {"tokens": jnp.asarray(tokens), "label": jnp.zeros(40)}
    train_encoder.label_loss(
        Spy(), batch, jax.random.key(0), strands=subset.startswith(STRAND_SYMMETRIC_SUBSETS)
    )
    same, other = ((seen[0] == each).all(1) for each in (tokens, reverse_complement(tokens)))
    assert (same | other).all() and (10 < other.sum() < 30 if turns else same.all())


@pytest.mark.slow
def test_the_file_of_several_networks_gives_each_as_it_was_trained(tuned, tmp_path):
    path, _, schedule, start, load = tuned
    networks = {
        subset: train_encoder.network(subset, schedule, seed=1, start=start) for subset in SUBSETS
    }
    weights.restore(networks["tf_0"], weights.load(path)[0])
    other = networks["prom_300_tata"].blocks[0].attention.out.up
    other[...] = jax.random.normal(jax.random.key(0), other[...].shape)
    tokens = {subset: network.config.head_tokens for subset, network in networks.items()}
    together = low_rank_model.merge_networks(
        weights.load(start)[0],
        {name: weights.flatten(each) for name, each in networks.items()},
        tokens,
    )
    weights.save(tmp_path / "both.safetensors", together)
    assert sum("kernel" in name and name.startswith("shared.") for name in together) == 7

    config = low_rank_model.SequenceEncodersConfig(
        SUBSETS, tuple(tokens.values()), schedule.network
    )
    read = low_rank_model.expanded(tmp_path / "both.safetensors")
    blank = drawn(lambda: low_rank_model.SequenceEncoders(config, rngs=nnx.Rngs(7)))
    model = weights.restore(blank, read)
    classifier = predict_gue.GueClassifier(
        [model], subsets=SUBSETS, lengths=recipes.BASES, crop=recipes.CROP
    )
    for subset, network in networks.items():
        dev = load(subset, "dev")
        expected = train_encoder.logits(
            network, train_encoder.read(subset, dev.tokens), strands=subset == "tf_0"
        )
        np.testing.assert_allclose(classifier.logits(dev.tokens, subset), expected, atol=1e-4)
