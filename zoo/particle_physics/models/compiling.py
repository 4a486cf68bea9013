"""How XLA compiles a network where its default is not the fastest."""

from __future__ import annotations

import functools

import jax

EIGEN = {"xla_cpu_experimental_ynn_fusion_type": ""}


@functools.cache
def wide_products() -> dict[str, str] | None:
    """Options of `jax.jit` for networks that are mostly products of 64 channels or more;
    None off the CPU or where XLA has no such option.

    On CPU XLA hands a chain of products and what lies between them to YNNPACK as one call;
    for matrices of thousands of rows that loses to a product after the other from Eigen
    (ParticleNet: 4.5 against 3.9 ms a jet, one core; small attention gains from it).
    Results differ by float32 rounding.
    """
    if jax.default_backend() != "cpu":
        return None
    try:
        jax.jit(lambda x: x, compiler_options=EIGEN).lower(0.0).compile()
    except Exception:
        # each version of XLA has its own options, and its own way to say that it does not
        # know one
        return None
    return EIGEN
