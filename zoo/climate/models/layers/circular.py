"""Convolutions on a longitude-latitude grid: circular in longitude, across the poles in latitude.

The row beyond a pole is the row on this side of it at the opposite longitude. (A component
of a vector changes its sign there too. The layers below see learned features, which have no
fixed parity, and leave that to the weights.)

The one place where a form is chosen by backend: XLA on CPU lowers a depthwise convolution
to a slow loop and its gradient to a slower one, so there it is written as shifted
multiply-adds with its own gradient; accelerators get `lax.conv_general_dilated`.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

__all__ = ["convolve", "depthwise", "pad_sphere"]


def pad_sphere(
    field: Float[Array, "batch longitude latitude channel"], *, width: int
) -> Float[Array, "batch wider_longitude wider_latitude channel"]:
    """The field with `width` more points on each side: circular in longitude, over the pole
    in latitude."""
    longitudes, latitudes = field.shape[1:3]
    if longitudes % 2 or width > min(longitudes, latitudes):
        raise ValueError(
            f"padding by {width} over the poles needs an even number of longitudes and at least "
            f"{width} points each way, got {longitudes}x{latitudes}"
        )
    if not width:
        return field
    opposite = jnp.roll(field, longitudes // 2, axis=1)
    field = jnp.concatenate(
        [opposite[:, :, :width][:, :, ::-1], field, opposite[:, :, -width:][:, :, ::-1]], axis=2
    )
    return jnp.concatenate([field[:, -width:], field, field[:, :width]], axis=1)


def convolve(
    field: Float[Array, "batch longitude latitude channel"], kernel: Float[Array, "x y channel out"]
) -> Float[Array, "batch longitude latitude out"]:
    """The full convolution on the sphere's grid, with an odd square kernel."""
    padded = pad_sphere(field, width=kernel.shape[0] // 2)
    return lax.conv_general_dilated(
        padded, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def depthwise(
    field: Float[Array, "batch longitude latitude channel"], kernel: Float[Array, "x y channel"]
) -> Float[Array, "batch longitude latitude channel"]:
    """Each channel convolved with its own odd square kernel."""
    padded = pad_sphere(field, width=kernel.shape[0] // 2)
    if jax.default_backend() == "cpu":
        return _shifted_once(padded, kernel)
    return lax.conv_general_dilated(
        padded,
        kernel[:, :, None, :],
        (1, 1),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=field.shape[-1],
    )


@jax.custom_vjp
def _shifted(padded: Array, kernel: Array) -> Array:
    """Depthwise 'valid' convolution as a sum of shifted products, a few channels at a time,
    which stay in a core's cache.

    A loop, because nothing else keeps XLA from fusing all taps into each of their consumers
    and computing them there again (optimisation barriers are gone by then): with the layer
    norm that follows, 0.35 against 0.95 ms per example for 7x7 on 32x16x128, one core.
    """
    size_x, size_y, channels = kernel.shape
    batch, rows, columns = (
        padded.shape[0],
        padded.shape[1] - size_x + 1,
        padded.shape[2] - size_y + 1,
    )
    few = math.gcd(channels, 32)

    def some(i: Array, whole: Array) -> Array:
        field = lax.dynamic_slice_in_dim(padded, i * few, few, axis=3)
        weight = lax.dynamic_slice_in_dim(kernel, i * few, few, axis=2)
        taps = [
            field[:, x : x + rows, y : y + columns] * weight[x, y]
            for x in range(size_x)
            for y in range(size_y)
        ]
        return lax.dynamic_update_slice_in_dim(
            whole, functools.reduce(jnp.add, taps), i * few, axis=3
        )

    return lax.fori_loop(
        0, channels // few, some, jnp.zeros((batch, rows, columns, channels), padded.dtype)
    )


def _shifted_forward(padded: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return _shifted(padded, kernel), (padded, kernel)


def _shifted_backward(saved: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    padded, kernel = saved
    size_x, size_y = kernel.shape[:2]
    rows, columns = gradient.shape[1:3]
    around = jnp.pad(gradient, ((0, 0), (size_x - 1,) * 2, (size_y - 1,) * 2, (0, 0)))
    to_field = _shifted(around, kernel[::-1, ::-1])
    slabs = next(count for count in (16, 8, 4, 2, 1) if rows % count == 0)
    padded, gradient = lax.optimization_barrier((padded, gradient))

    def taps(i: Array) -> Array:
        """The gradient of one row of the kernel: sums of products over batch and grid.

        XLA reduces over all but the last dimension slowly on CPU. So slabs of the grid are
        added up while they are multiplied, and the rest is a product with a row of ones:
        0.6 (with 8 slabs 1.3) against 7.1 ms per example for 7x7 on 32x16x128, one core.
        """
        shifted = lax.dynamic_slice_in_dim(padded, i, rows, axis=1)
        sums = []
        for j in range(size_y):
            field_slabs, gradient_slabs = (
                jnp.split(each, slabs, axis=1)
                for each in (shifted[:, :, j : j + columns], gradient)
            )
            parts = [
                field * slope for field, slope in zip(field_slabs, gradient_slabs, strict=True)
            ]
            partial_sums = lax.optimization_barrier(
                functools.reduce(jnp.add, parts).reshape(-1, gradient.shape[3])
            )
            sums.append(jnp.ones((1, partial_sums.shape[0]), partial_sums.dtype) @ partial_sums)
        return jnp.concatenate(sums)

    return to_field, lax.map(taps, jnp.arange(size_x)).astype(kernel.dtype)


_shifted.defvjp(_shifted_forward, _shifted_backward)
_shifted_once = jax.jit(_shifted)
"""The same; layers of one shape are traced once, not each (half a second of a ConvNeXt's start)."""
