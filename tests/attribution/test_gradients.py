"""Explanations by gradients: complete, and right where the score is linear."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from captum_network import ported
from flax import nnx
from linear_scores import INPUTS, WEIGHT, curved, linear

from zoo import attribution


def test_a_linear_score_is_explained_by_its_weights():
    for method in (attribution.saliency, attribution.smooth_grad):
        np.testing.assert_allclose(
            method(linear, INPUTS), np.broadcast_to(WEIGHT, INPUTS.shape), rtol=1e-4, atol=1e-5
        )
    np.testing.assert_allclose(
        attribution.gradient_x_input(linear, INPUTS), WEIGHT * INPUTS, atol=1e-6
    )
    found = attribution.integrated_gradients(linear, INPUTS, np.zeros_like(INPUTS), steps=1)
    np.testing.assert_allclose(found.values, WEIGHT * INPUTS, atol=1e-6)
    assert found.completeness_error.max() < 1e-5


def test_a_centred_gradient_says_nothing_of_all_letters_at_once():
    gradient = attribution.saliency(curved, INPUTS)
    assert np.abs(gradient.sum(-1)).max() > 0.1
    np.testing.assert_allclose(attribution.centred(gradient).sum(-1), 0.0, atol=1e-6)
    expected = (gradient - gradient.mean(-1, keepdims=True)) * INPUTS
    np.testing.assert_allclose(
        attribution.gradient_x_input(curved, INPUTS, letters=-1), expected, atol=1e-6
    )


def test_integrated_gradients_are_complete_when_the_steps_suffice():
    baselines = attribution.shuffles(INPUTS, 4, seed=1)
    enough = attribution.integrated_gradients(curved, INPUTS, baselines, steps=20)
    assert enough.completeness_error.max() < 0.01
    wanted = np.asarray(curved(INPUTS)) - np.mean(
        [np.asarray(curved(each)) for each in baselines], axis=0
    )
    np.testing.assert_allclose(enough.values.sum((1, 2)), wanted, atol=1e-4)
    few = attribution.integrated_gradients(
        curved, INPUTS, np.zeros_like(INPUTS), steps=1, rule="left"
    )
    assert few.completeness_error.max() > 0.01


def test_a_long_line_in_small_batches_gives_the_same():
    whole = attribution.integrated_gradients(curved, INPUTS, np.zeros_like(INPUTS), steps=10)
    parts = attribution.integrated_gradients(
        curved, INPUTS, np.zeros_like(INPUTS), steps=10, batch=4
    )
    np.testing.assert_allclose(whole.values, parts.values, atol=1e-5)


def test_errors_name_what_is_legal():
    with pytest.raises(ValueError, match="gauss_legendre, midpoint, left"):
        attribution.integrated_gradients(linear, INPUTS, np.zeros_like(INPUTS), rule="simpson")
    with pytest.raises(ValueError, match="baselines have shape"):
        attribution.integrated_gradients(linear, INPUTS, np.zeros((2, 1, 12, 4)))
    with pytest.raises(ValueError, match="do not fit"):
        attribution.patches((12,), (3, 3))


CAPTUM: dict[str, list[float]] = {
    "score": [0.700778, 0.847824],
    "saliency": [
        -0.000112916,
        -0.0100791,
        0.000961806,
        0.0004691,
        -0.00291605,
        -0.0256278,
        -0.00125107,
        -0.0123413,
        -0.00294226,
        0.013671,
        -0.00185102,
        0.00225548,
        -0.0234726,
        0.00504643,
        0.0205247,
        -0.0378463,
        -0.00697152,
    ],
    "gradient_x_input": [
        -0.0,
        -0.0,
        0.0,
        0.0004691,
        -0.0,
        -0.0256278,
        -0.00125107,
        -0.0123413,
        -0.0,
        0.0,
        -0.00185102,
        0.00225548,
        -0.0,
        0.00504643,
        0.0,
        -0.0,
        -0.0,
    ],
    "integrated_gradients": [
        -9.38414e-06,
        0.00131454,
        0.0010868,
        0.000424323,
        -0.000197043,
        -0.0157708,
        -0.000900704,
        -0.00570188,
        0.000535549,
        -0.0034432,
        0.00238578,
        0.00471322,
        0.00264945,
        0.00632705,
        -0.00156824,
        0.00434049,
        0.000771533,
    ],
    "occlusion": [
        -0.00300455,
        -0.00109524,
        0.00952071,
        -0.0345131,
        -0.0633243,
        0.0340476,
        -0.00716358,
        0.0210891,
        0.0583021,
        0.00782603,
        -0.00626171,
        -0.0167119,
        -0.0440314,
        3.74317e-05,
        -0.0234311,
        0.0125094,
        -0.00666112,
        -0.0303953,
        0.0241154,
        0.0293502,
        0.0216728,
        0.026395,
        0.00446469,
        0.00632077,
        -0.000649571,
        0.00334889,
        0.00641257,
        0.0467687,
        0.0444121,
        0.045121,
        0.0345243,
        0.0107766,
        0.00690943,
        -0.0241295,
        -0.0436711,
        -0.0047487,
        -0.00538039,
        0.00970262,
        0.0243901,
        -0.0012843,
    ],
}
"""Every 97th value (of occlusion and score all) of captum 0.9's attributions of `ported`
(torch 2.13); made by tests/fixtures/captum_values.py."""


@pytest.mark.parametrize("method", sorted(CAPTUM))
def test_methods_agree_with_captum(method):
    model, x = ported()
    graph, state = nnx.split(model)

    def score(inputs: jax.Array) -> jax.Array:
        return nnx.merge(graph, state)(inputs)

    found = {
        "saliency": lambda: attribution.saliency(score, x),
        "gradient_x_input": lambda: attribution.gradient_x_input(score, x),
        "integrated_gradients": lambda: (
            attribution.integrated_gradients(score, x, np.full_like(x, 0.25), steps=50).values
        ),
        "occlusion": lambda: attribution.occlusion(
            score, x, attribution.patches((200, 4), (10, 4)), value=0.25
        ),
        "score": lambda: attribution.scores(score, x),
    }[method]().ravel()
    np.testing.assert_allclose(
        found[:: 97 if found.size > 100 else 1], CAPTUM[method], rtol=2e-3, atol=2e-5
    )
