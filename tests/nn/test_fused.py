"""The fused kernels compute what plain JAX computes, to bfloat16; skipped where the processor lacks the instructions."""

from __future__ import annotations

import os
import pathlib
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from zoo.climate.models.convnext import Block, plain_block
from zoo.nn import circular, fused

CPU = pathlib.Path("/proc/cpuinfo")
pytestmark = pytest.mark.skipif(
    not (CPU.exists() and " amx_bf16" in CPU.read_text() and " avx512_bf16" in CPU.read_text() and shutil.which("g++")),
    reason="needs amx_bf16, avx512_bf16 and g++",
)


@pytest.fixture
def asked(monkeypatch):
    monkeypatch.setenv("ZOO_FUSED", "1")


def relative(a, b):
    return float(np.sqrt(np.mean((np.asarray(a) - np.asarray(b)) ** 2) / np.mean(np.asarray(b) ** 2)))


@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_fused_block_and_its_gradients_agree_with_plain_jax(asked, monkeypatch, threads):
    monkeypatch.setenv("ZOO_FUSED_THREADS", threads)
    rng = np.random.default_rng(0)
    block = Block(32, 8, expansion=2, kernel=7, depth=1, rngs=nnx.Rngs(0))
    parameters = (block.kernel, block.bias, block.scale, block.shift, block.widen, block.widen_bias, block.narrow, block.narrow_bias)
    weights = [jnp.asarray(np.asarray(p[...]) + 0.1 * rng.normal(size=p.shape), jnp.float32) for p in parameters]
    x, target = (jnp.asarray(rng.normal(size=(3, 16, 8, 32)), jnp.float32) for _ in range(2))
    assert fused.available(x.shape, weights[0].shape, weights[4].shape)
    assert relative(fused.block(x, *weights) - x, plain_block(x, *weights) - x) < 0.01
    gradients = [
        jax.grad(lambda *a, form=form: jnp.sum(form(*a) * target), tuple(range(9)))(x, *weights) for form in (fused.block, plain_block)
    ]
    for ours, oracle in zip(*gradients, strict=True):
        assert relative(ours, oracle) < 0.015


def test_the_fused_depthwise_convolution_is_exact(asked):
    rng = np.random.default_rng(0)
    x, target = (jnp.asarray(rng.normal(size=(2, 16, 8, 32)), jnp.float32) for _ in range(2))
    kernel = jnp.asarray(rng.normal(size=(7, 7, 32)), jnp.float32)
    ours, oracle = (
        jax.value_and_grad(lambda x, k, form=form: jnp.sum(form(x, k) * target), (0, 1))(x, kernel)
        for form in (fused.depthwise, circular.depthwise)
    )
    np.testing.assert_allclose(ours[0], oracle[0], rtol=1e-4, atol=1e-3)
    for a, b in zip(ours[1], oracle[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


def test_the_kernels_are_used_only_when_asked_for(monkeypatch):
    monkeypatch.delenv("ZOO_FUSED", raising=False)
    assert not fused.available((1, 32, 16, 128), (7, 7, 128), (128, 512))
    assert os.environ.get("ZOO_FUSED") is None
