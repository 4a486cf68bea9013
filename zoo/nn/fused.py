"""Fused CPU kernels (AVX-512 and AMX bfloat16) for ConvNeXt blocks and depthwise convolutions: opt-in, for training.

Set `ZOO_FUSED=1` on a Linux machine whose processor has `amx_bf16` and `avx512_bf16` (Intel Sapphire Rapids or later) and
that has `g++`: `fused.cc` is then compiled once into the cache folder and called through XLA's foreign function
interface. `ZOO_FUSED_THREADS` sets the threads of one call (default 1). Everything runs without it, in plain JAX; the
products here are bfloat16, so results differ from plain float32 by some 1e-3 of a block's output.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import pathlib
import subprocess
import tempfile

import jax
from jaxtyping import Array, Float

from zoo.nn import circular

__all__ = ["asked", "available", "block", "depthwise"]

_SOURCE = pathlib.Path(__file__).with_name("fused.cc")


def asked() -> bool:
    """Whether `ZOO_FUSED=1` asks for these kernels and this is a CPU."""
    return os.environ.get("ZOO_FUSED", "") == "1" and jax.default_backend() == "cpu"


@functools.cache
def _load() -> None:
    """Compiles the kernels where that was not done yet, and registers them with XLA."""
    flags = pathlib.Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
    if " amx_bf16" not in flags or " avx512_bf16" not in flags:
        raise RuntimeError("ZOO_FUSED=1 needs a processor with amx_bf16 and avx512_bf16; unset it to run plain JAX")
    options = ["-O3", "-march=sapphirerapids", "-std=c++17", "-shared", "-fPIC", "-pthread", f"-I{jax.ffi.include_dir()}"]
    name = hashlib.sha256(_SOURCE.read_bytes() + " ".join(options).encode()).hexdigest()[:16]
    folder = pathlib.Path(os.environ.get("ZOO_HOME", pathlib.Path.home() / ".cache" / "zoo")) / "kernels"
    library = folder / f"fused-{name}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            built = pathlib.Path(temporary) / library.name
            done = subprocess.run(["g++", *options, str(_SOURCE), "-o", str(built)], capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"g++ could not compile {_SOURCE.name}; unset ZOO_FUSED to run plain JAX.\n{done.stderr[-2000:]}")
            built.replace(library)
    calls = ctypes.cdll.LoadLibrary(str(library))
    for call in ("BlockForward", "BlockBackward", "DepthwiseForward", "DepthwiseBackward"):
        jax.ffi.register_ffi_target(f"zoo.{call}", jax.ffi.pycapsule(getattr(calls, f"{call}Call")), platform="cpu")


def available(field: tuple[int, ...], kernel: tuple[int, ...], widen: tuple[int, int]) -> bool:
    """Whether the fused block was asked for and knows these shapes: [batch, x, y, width], [7, 7, width], [width, hidden]."""
    if not asked():
        return False
    fits = field[1] * field[2] % 32 == 0 and field[3] % 32 == 0 and widen[1] % 32 == 0 and kernel[0] == 7
    if fits:
        _load()
    return fits


def _like(*arrays: Array) -> list[jax.ShapeDtypeStruct]:
    return [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arrays]


@jax.custom_vjp
def block(x: Float[Array, "batch longitude latitude width"], *weights: Array) -> Float[Array, "batch longitude latitude width"]:
    """A ConvNeXt block: the computation of `zoo.climate.models.convnext.plain_block`, in its order of arguments."""
    return jax.ffi.ffi_call("zoo.BlockForward", _like(x)[0])(x, *weights)


def _block_forward(x, *weights):
    return block(x, *weights), (x, *weights)


def _block_backward(saved, gradient):
    return tuple(jax.ffi.ffi_call("zoo.BlockBackward", _like(*saved))(*saved, gradient))


block.defvjp(_block_forward, _block_backward)


@jax.custom_vjp
def _depthwise(x: Array, kernel: Array) -> Array:
    return jax.ffi.ffi_call("zoo.DepthwiseForward", _like(x)[0])(x, kernel)


def _depthwise_forward(x, kernel):
    return _depthwise(x, kernel), (x, kernel)


def _depthwise_backward(saved, gradient):
    return tuple(jax.ffi.ffi_call("zoo.DepthwiseBackward", _like(*saved))(*saved, gradient))


_depthwise.defvjp(_depthwise_forward, _depthwise_backward)


def depthwise(
    field: Float[Array, "batch longitude latitude channel"], kernel: Float[Array, "x y channel"]
) -> Float[Array, "batch longitude latitude channel"]:
    """`zoo.nn.circular.depthwise`, fused where that was asked for."""
    if asked() and kernel.shape[0] == 7 and field.shape[-1] % 32 == 0:
        _load()
        return _depthwise(field, kernel)
    return circular.depthwise(field, kernel)
