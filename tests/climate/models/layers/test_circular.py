"""Convolutions on the sphere's grid: circular in longitude, across the poles, one result in
every form."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.climate.models.layers.circular import _shifted, convolve, depthwise, pad_sphere


def field(channels=4, batch=2, longitudes=8, latitudes=6, seed=0):
    return jnp.asarray(
        np.random.default_rng(seed).normal(size=(batch, longitudes, latitudes, channels)),
        jnp.float32,
    )


def test_the_row_beyond_a_pole_is_this_row_at_the_opposite_longitude():
    x = field()
    padded = pad_sphere(x, width=2)
    assert padded.shape == (2, 12, 10, 4)
    np.testing.assert_array_equal(padded[:, 2:-2, 2:-2], x)
    np.testing.assert_array_equal(padded[:, 2:-2, 1], jnp.roll(x, 4, axis=1)[:, :, 0])
    np.testing.assert_array_equal(padded[:, 2:-2, 0], jnp.roll(x, 4, axis=1)[:, :, 1])
    np.testing.assert_array_equal(padded[:, 2:-2, -1], jnp.roll(x, 4, axis=1)[:, :, -2])
    np.testing.assert_array_equal(padded[:, :2, 2:-2], x[:, -2:])


def test_walking_over_the_pole_meets_the_field_from_the_other_side():
    """A smooth function of position on the sphere stays smooth in the padding."""
    lon, lat = (
        np.deg2rad(np.arange(64) * 5.625)[:, None],
        np.deg2rad(np.arange(32) * 5.625 - 87.1875)[None],
    )
    x = np.cos(lat) * np.cos(lon)
    padded = np.asarray(pad_sphere(jnp.asarray(x[None, :, :, None], jnp.float32), width=3))[
        0, 3:-3, :, 0
    ]
    beyond = np.deg2rad(-87.1875 - 5.625 * np.arange(3, 0, -1))
    np.testing.assert_allclose(padded[:, :3], np.cos(beyond)[None] * np.cos(lon), atol=1e-6)


def test_the_shifted_form_is_the_grouped_convolution_with_its_gradients():
    x, kernel = field(), jnp.asarray(np.random.default_rng(1).normal(size=(3, 3, 4)), jnp.float32)
    target = field(seed=2)

    def grouped(padded, kernel):
        return jax.lax.conv_general_dilated(
            padded,
            kernel[:, :, None, :],
            (1, 1),
            "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=4,
        )

    padded = pad_sphere(x, width=1)
    np.testing.assert_allclose(_shifted(padded, kernel), grouped(padded, kernel), atol=1e-5)
    gradients = [
        jax.grad(lambda p, k, form=form: jnp.sum(form(p, k) * target), (0, 1))(padded, kernel)
        for form in (_shifted, grouped)
    ]
    for ours, oracle in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, oracle, atol=1e-4)


def test_convolutions_commute_with_rotation_in_longitude():
    x, rng = field(), np.random.default_rng(1)
    kernel, full = (jnp.asarray(rng.normal(size=s), jnp.float32) for s in ((5, 5, 4), (3, 3, 4, 2)))
    for operation in (lambda f: depthwise(f, kernel), lambda f: convolve(f, full)):
        np.testing.assert_allclose(
            operation(jnp.roll(x, 3, axis=1)), jnp.roll(operation(x), 3, axis=1), atol=1e-4
        )


def test_an_odd_number_of_longitudes_has_no_opposite():
    with pytest.raises(ValueError, match="even number of longitudes"):
        pad_sphere(field(longitudes=7), width=1)
