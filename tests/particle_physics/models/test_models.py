"""The taggers: a jet's score depends neither on padding nor on the order of its particles,
and for LorentzNet not on the frame."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from zoo.particle_physics.models.features import FEATURE_SETS
from zoo.particle_physics.models.lorentz_net import LorentzNet, LorentzNetConfig, minkowski
from zoo.particle_physics.models.particle_net import ParticleNet, ParticleNetConfig, nearest
from zoo.particle_physics.models.particle_transformer import (
    ParticleTransformer,
    ParticleTransformerConfig,
    pair_features,
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
MODELS = {
    "pfn": (PFN, PFNConfig(phi=(16, 16), hidden=(16,))),
    "particle_net": (ParticleNet, ParticleNetConfig(channels=((8, 8), (16, 16)), hidden=(16,))),
    "particle_net_affine": (
        ParticleNet,
        ParticleNetConfig(
            normalise=False, channels=((8, 8), (8, 8)), hidden=(16,), neighbours=(7, 3)
        ),
    ),
    "particle_transformer": (
        ParticleTransformer,
        ParticleTransformerConfig(width=8, depth=1, heads=2, pair_width=4),
    ),
    "lorentz_net": (LorentzNet, LorentzNetConfig(width=8, depth=2, hidden=8)),
}
each = pytest.mark.parametrize("name", MODELS)


@functools.cache
def build(name, seed=0):
    """The model, and its compiled call."""
    architecture, config = MODELS[name]
    graph, params = nnx.split(nnx.eval_shape(lambda: architecture(config, rngs=nnx.Rngs(0))))
    random = np.random.default_rng(seed)

    # Scales of one and shifts of zero would hide mistakes. (And NumPy compiles nothing.)
    def fill(path, leaf):
        noise = random.normal(size=leaf.shape).astype(np.float32)
        if leaf.ndim > 1:
            return jnp.asarray(noise / leaf.shape[0] ** 0.5)
        return jnp.asarray(0.1 * noise + ("scale" in jax.tree_util.keystr(path)))

    model = nnx.merge(graph, jax.tree_util.tree_map_with_path(fill, params))
    return model, jax.jit(lambda *inputs: model(*inputs))


def jets(counts=(1, 2, 5, 11, 17, 30), particles=32, features=13, seed=0, dtype=np.float32):
    """Made-up jets with these numbers of particles, zeros behind them: features, vectors, mask."""
    random, shape = np.random.default_rng(seed), (len(counts), particles)
    mask = np.arange(particles) < np.asarray(counts)[:, None]
    pt = 1.0 + random.exponential(10.0, shape)
    eta, phi = random.normal(0.0, 0.3, shape), random.normal(0.0, 0.3, shape)
    momentum = pt[..., None] * np.stack([np.cos(phi), np.sin(phi), np.sinh(eta)], -1)
    vectors = np.concatenate(
        [momentum, np.sqrt((momentum**2).sum(-1, keepdims=True) + 0.14**2)], -1
    )
    inputs = np.concatenate(
        [random.normal(size=(*shape, features - 2)), np.stack([eta, phi], -1)], -1
    )
    return (inputs * mask[..., None]).astype(dtype), (vectors * mask[..., None]).astype(dtype), mask


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


def dense_edge_convolution(layer, x, neighbours):
    """The paper's formula with its loops: every edge [x_i, x_j - x_i] through the MLP."""
    result = []
    for i, row in enumerate(neighbours):
        edges = np.stack([np.concatenate([x[i], x[j] - x[i]]) for j in row])
        for dense in layer.layers:
            edges = np.maximum(
                edges @ dense.kernel[...] * dense.affine.scale[...] + dense.affine.shift[...], 0
            )
        shortcut = (
            x[i] @ layer.shortcut.kernel[...] * layer.shortcut.affine.scale[...]
            + layer.shortcut.affine.shift[...]
        )
        result.append(np.maximum(edges.mean(0) + shortcut, 0))
    return np.stack(result)


def test_the_split_edge_weights_are_the_papers_formula():
    model, _ = build("particle_net")
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 9, 13)).astype(np.float32)
    neighbours = np.stack(
        [[random.choice(9, 4, replace=False) for _ in range(9)] for _ in range(2)]
    )
    layer = model.convolutions[0]
    expected = [dense_edge_convolution(layer, *pair) for pair in zip(x, neighbours, strict=True)]
    np.testing.assert_allclose(
        layer(jnp.asarray(x), jnp.asarray(neighbours)), expected, atol=1e-4, rtol=1e-5
    )


def test_folding_moves_the_scales_into_the_kernels_and_changes_no_answer():
    net = ParticleNet(ParticleNetConfig(normalise=False), rngs=nnx.Rngs(0))
    key = jax.random.key(1)
    for number, dense in enumerate(
        dense for convolution in net.convolutions for dense in convolution.layers
    ):
        dense.affine.scale[...] = jax.random.uniform(
            jax.random.fold_in(key, number), dense.affine.scale.shape, minval=0.5, maxval=2.0
        )
    folded = net.fold_scales()
    x = jax.random.normal(key, (3, 20, len(FEATURE_SETS["kinpid"])))
    mask = jnp.arange(20) < jnp.array([5, 20, 12])[:, None]
    np.testing.assert_allclose(folded(x, None, mask), net(x, None, mask), rtol=1e-5, atol=1e-5)
    assert all(
        dense.affine.scale is None
        for convolution in folded.convolutions
        for dense in convolution.layers
    )
    assert all(
        dense.affine.scale is not None
        for convolution in net.convolutions
        for dense in convolution.layers
    ), "the copy is its own"


@pytest.mark.parametrize("dim", [2, 5])
def test_neighbours_are_the_nearest_present_others(dim):
    points = np.random.default_rng(0).normal(size=(3, 20, dim)).astype(np.float32)
    mask = np.arange(20) < np.array([20, 12, 4])[:, None]
    found = np.asarray(nearest(jnp.asarray(points), jnp.asarray(mask), 3))
    for jet, i in itertools.product(range(3), range(20)):
        if mask[jet, i]:
            distance = np.where(mask[jet], ((points[jet] - points[jet, i]) ** 2).sum(-1), np.inf)
            distance[i] = np.inf
            assert list(found[jet, i]) == list(np.argsort(distance)[:3])


def test_a_jet_with_too_few_particles_gets_absent_neighbours_and_never_itself():
    mask = np.arange(8) < 3
    found = np.asarray(nearest(jnp.zeros((1, 8, 2)), jnp.asarray(mask)[None], 5))[0]
    for i in range(3):
        assert (
            i not in found[i]
            and set(found[i, :2]) == {0, 1, 2} - {i}
            and not mask[found[i, 2:]].any()
        )


def test_each_edge_convolution_may_have_its_own_number_of_neighbours():
    config = ParticleNetConfig(channels=((8, 8), (16, 16)), hidden=(16,))
    one, two, other = (
        ParticleNet(dataclasses.replace(config, neighbours=k), rngs=nnx.Rngs(0))
        for k in (7, (7, 7), (7, 3))
    )
    given = [jnp.asarray(each) for each in jets()]
    logits = one(*given)
    np.testing.assert_array_equal(two(*given), logits)
    assert np.abs(other(*given) - logits)[2:].max() > 1e-3
    with pytest.raises(ValueError, match="must be one number or 2"):
        ParticleNet(dataclasses.replace(config, neighbours=(7, 7, 7)), rngs=nnx.Rngs(0))


def test_pair_features_are_the_papers_for_massless_particles():
    _, vectors, mask = jets(counts=(32,), dtype=np.float64)
    vectors[..., 3] = np.sqrt((vectors[..., :3] ** 2).sum(-1))
    a, b = vectors[:, :, None], vectors[:, None]
    kt, z, angle, mass2 = pair_features(jnp.asarray(vectors, jnp.float32), jnp.asarray(mask))
    px, py, pz, energy = (vectors[..., i] for i in range(4))
    pt, rapidity, phi = (
        np.hypot(px, py),
        0.5 * np.log((energy + pz) / (energy - pz)),
        np.arctan2(py, px),
    )
    delta = np.hypot(rapidity[:, :, None] - rapidity[:, None], phi[:, :, None] - phi[:, None])
    softer, off = np.minimum(pt[:, :, None], pt[:, None]), ~np.eye(32, dtype=bool)[None]
    np.testing.assert_allclose(np.asarray(angle)[off] - 1.5, np.log(delta[off]), atol=1e-3)
    np.testing.assert_allclose(np.asarray(kt)[off] / 0.5, np.log((softer * delta)[off]), atol=1e-3)
    np.testing.assert_allclose(
        np.asarray(z)[off] / 0.7 - 1.5,
        np.log(softer / (pt[:, :, None] + pt[:, None]))[off],
        atol=1e-4,
    )
    np.testing.assert_allclose(
        np.asarray(mass2)[off] / 0.3 + 1.0, np.log(minkowski(a + b, a + b)[off]), atol=1e-3
    )


def boost(direction, rapidity):
    """The matrix that boosts (px, py, pz, E) along a direction."""
    n = np.asarray(direction, float) / np.linalg.norm(direction)
    matrix = np.eye(4)
    matrix[:3, :3] += (np.cosh(rapidity) - 1) * np.outer(n, n)
    matrix[:3, 3] = matrix[3, :3] = np.sinh(rapidity) * n
    matrix[3, 3] = np.cosh(rapidity)
    return matrix


def rotation(seed=0):
    """A random rotation of space."""
    matrix = np.eye(4)
    turned = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    matrix[:3, :3] = turned * np.linalg.det(turned)
    return matrix


@pytest.mark.parametrize(
    "frame",
    [
        boost((0, 0, 1), 2.0),
        boost((1, 2, -1), 1.0),
        rotation(),
        rotation(1) @ boost((1, 0, 0), -1.5) @ rotation(2),
    ],
)
def test_lorentz_net_does_not_see_the_frame(frame):
    with jax.enable_x64(True):
        model, call = build("lorentz_net")
        features, vectors, mask = jets(counts=(3, 10, 32), dtype=np.float64)
        logits = np.asarray(call(features, vectors, mask))
        assert logits.dtype == np.float64
        np.testing.assert_allclose(call(features, vectors @ frame.T, mask), logits, atol=1e-8)
        # The vectors inside turn with the frame: the layer is equivariant, not only the
        # answer invariant.
        h = jnp.asarray(np.random.default_rng(0).normal(size=(3, 32, 8)))
        _, x = model.layers[0](h, jnp.asarray(vectors), jnp.asarray(mask, float))
        _, turned = model.layers[0](h, jnp.asarray(vectors @ frame.T), jnp.asarray(mask, float))
        np.testing.assert_allclose(turned, x @ frame.T, rtol=1e-9, atol=1e-8)
        assert np.abs(x - vectors)[mask].max() > 1e-3


def test_lorentz_net_does_see_a_change_that_is_no_change_of_frame():
    _, call = build("lorentz_net")
    features, vectors, mask = jets(counts=(3, 10, 32))
    squeezed = vectors * np.array([1.0, 1.0, 1.2, 1.0], np.float32)
    assert np.abs(call(features, squeezed, mask) - call(features, vectors, mask)).max() > 1e-3


def test_in_single_precision_a_boost_moves_lorentz_nets_logits_by_rounding_only():
    _, call = build("lorentz_net")
    features, vectors, mask = jets(counts=(3, 10, 32))
    boosted = (vectors.astype(np.float64) @ boost((0, 0, 1), 1.0).T).astype(np.float32)
    np.testing.assert_allclose(
        call(features, boosted, mask), call(features, vectors, mask), atol=0.02
    )


def test_a_width_that_does_not_divide_among_the_heads_is_refused():
    with pytest.raises(ValueError, match="width=30 does not divide among heads=4"):
        ParticleTransformer(
            dataclasses.replace(ParticleTransformerConfig(), width=30), rngs=nnx.Rngs(0)
        )
