"""Every tagger's score of a jet depends neither on padding nor on the order of its particles."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_taggers import MODELS, build, each, jets

from zoo.particle_physics.models.features import FEATURE_SETS
from zoo.particle_physics.models.lorentz_net import LorentzNet, LorentzNetConfig
from zoo.particle_physics.models.particle_net import ParticleNet, ParticleNetConfig
from zoo.particle_physics.models.particle_transformer import (
    ParticleTransformer,
    ParticleTransformerConfig,
)
from zoo.particle_physics.models.pfn import PFN, PFNConfig
from zoo.pretrained.weights import flatten, load, restore, save

PUBLISHED = {
    "neighbours": 16,
    "channels": ((64, 64, 64), (128, 128, 128), (256, 256, 256)),
    "hidden": (256,),
    "normalise": False,
    "features": "full",
}


XS = {"width": 32, "depth": 2}


@each
def test_logits_are_finite_and_differ_between_jets(name):
    logits = np.asarray(build(name)[1](*jets()))
    assert logits.shape == (6, 10) and np.isfinite(logits).all()
    assert np.abs(logits - logits[:1])[1:].max(axis=1).min() > 1e-3


@each
def test_padding_is_invisible(name):
    _, call = build(name)
    inputs = jets()
    logits = call(*inputs)
    for jet, count in ((0, 1), (3, 11)):  # one has fewer particles than neighbours are looked for
        cut = [array[jet : jet + 1, :count] for array in inputs]
        np.testing.assert_allclose(call(*cut)[0], logits[jet], atol=2e-5, rtol=1e-5)
    wider = [np.pad(array, ((0, 0), (0, 16), (0, 0))[: array.ndim]) for array in inputs]
    np.testing.assert_allclose(call(*wider), logits, atol=2e-5, rtol=1e-5)


@each
def test_what_lies_under_the_mask_is_invisible(name):
    _, call = build(name)
    features, vectors, mask = jets()
    rubbish = [
        np.where(mask[..., None], array, 7.0).astype(np.float32) for array in (features, vectors)
    ]
    np.testing.assert_allclose(
        call(*rubbish, mask), call(features, vectors, mask), atol=2e-5, rtol=1e-5
    )


@each
def test_the_order_of_the_particles_is_invisible(name):
    _, call = build(name)
    inputs = jets()
    order = np.random.default_rng(1).permutation(32)
    np.testing.assert_allclose(
        call(*(array[:, order] for array in inputs)), call(*inputs), atol=2e-5, rtol=1e-5
    )


@each
def test_the_answer_to_a_jet_does_not_depend_on_the_others(name):
    _, call = build(name)
    inputs = jets()
    alone = call(*(array[2:3] for array in inputs))
    np.testing.assert_allclose(call(*inputs)[2], alone[0], atol=2e-5, rtol=1e-5)


@each
def test_every_parameter_has_a_finite_gradient_also_beside_jets_of_one_particle_and_none(name):
    model, _ = build(name)
    graph, params = nnx.split(model)
    inputs = jets()

    def loss(params, inputs):
        logits = nnx.merge(graph, params)(*inputs)
        return -jnp.mean(
            jax.nn.log_softmax(logits)[np.arange(len(logits)), np.arange(len(logits)) % 10]
        )

    # The first of the jets has one particle, and the last row of these has none.
    nobody = [np.concatenate([array, np.zeros_like(array[:1])]) for array in inputs]
    for path, leaf in jax.tree_util.tree_leaves_with_path(jax.jit(jax.grad(loss))(params, nobody)):
        assert np.isfinite(leaf).all() and np.abs(leaf).max() > 0, jax.tree_util.keystr(path)


@each
def test_weights_survive_a_file(name, tmp_path):
    model, _ = build(name)
    save(tmp_path / "weights.safetensors", model)
    other = restore(build.__wrapped__(name, seed=1)[0], load(tmp_path / "weights.safetensors")[0])
    for key, value in flatten(model).items():
        np.testing.assert_array_equal(flatten(other)[key], value)


@pytest.mark.parametrize(
    ("architecture", "config", "count"),
    [
        (PFN, PFNConfig(), 58_538),  # (13+1)100 + 101*100 + 101*128 + 129*100 + 2(101*100) + 101*10
        (ParticleNet, ParticleNetConfig(), 28_036),
        (ParticleNet, ParticleNetConfig(**PUBLISHED), 370_156),
        (ParticleNet, ParticleNetConfig(**PUBLISHED | {"features": "kin"}), 368_216),
        (ParticleTransformer, ParticleTransformerConfig(**XS), 29_662),
        (ParticleTransformer, ParticleTransformerConfig(), 214_430),
        (LorentzNet, LorentzNetConfig(), 24_650),
    ],
)
def test_the_number_of_parameters_is_the_one_documented(architecture, config, count):
    model = nnx.eval_shape(lambda: architecture(config, rngs=nnx.Rngs(0)))
    assert (
        sum(np.prod(leaf.shape, dtype=int) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
        == count
    )
    assert len(FEATURE_SETS[config.features]) in (7, 13, 17)


def test_only_parameters_are_stored_so_every_state_is_trained_and_saved():
    for name in MODELS:
        model, _ = build(name)
        assert len(flatten(model)) == len(jax.tree.leaves(nnx.state(model)))
