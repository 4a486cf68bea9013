"""PyTorch twins of `zoo.climate.models`: the same function of the same parameters, written
as PyTorch users write it.

ConvNeXt follows the authors' code (depthwise `Conv2d`, permute, `layer_norm`, two
`Linear`s), in either memory format. SFNO has two forms of the transform: FFT over longitude
and complex weights, as in torch-harmonics, and the matrix products of
`zoo.climate.models.layers.spherical`. `copy_from` takes the parameters of the JAX model, so
that equal losses prove the twins equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.climate.models.layers import spherical

EPSILON = 1e-6


def pad_sphere(x: Tensor, width: int) -> Tensor:
    """`zoo.climate.models.layers.circular.pad_sphere` for [batch, channel, longitude, latitude]."""
    opposite = x.roll(x.shape[2] // 2, dims=2)
    x = torch.cat([opposite[..., :width].flip(-1), x, opposite[..., -width:].flip(-1)], dim=-1)
    return torch.cat([x[:, :, -width:], x, x[:, :, :width]], dim=2)


def layer_norm(x: Tensor) -> Tensor:
    """Layer norm over the last axis, without an affine part."""
    return F.layer_norm(x, x.shape[-1:], eps=EPSILON)


def gelu(x: Tensor) -> Tensor:
    """The tanh form, which is JAX's default."""
    return F.gelu(x, approximate="tanh")


class Truncate(nn.Module):
    """`zoo.climate.models.layers.spherical.truncate` for [batch, longitude, latitude, channel]."""

    def __init__(self, grid: spherical.Grid, *, winds: int):
        super().__init__()
        matrices, self.winds = spherical._matrices(grid), winds
        for name in ("to_orders", "from_orders", "projection", "wind_projection"):
            self.register_buffer(name, torch.from_numpy(getattr(matrices, name).copy()))

    def forward(self, field: Tensor) -> Tensor:
        waves = torch.einsum("pmx,bxyc->bpmyc", self.to_orders, field)
        scalars, winds = waves.split([field.shape[-1] - self.winds, self.winds], -1)
        scalars = torch.einsum("mzy,bpmyc->bpmzc", self.projection, scalars)
        winds = torch.einsum("mzy,bpmyc->bpmzc", self.wind_projection, winds)
        return torch.einsum("xpm,bpmyc->bxyc", self.from_orders, torch.cat([scalars, winds], -1))


class ConvNeXtBlock(nn.Module):
    """Depthwise 7x7 over the sphere, layer norm, latitude-wise affine map, pointwise
    network, residual."""

    def __init__(self, width: int, latitudes: int, *, expansion: int, kernel: int):
        super().__init__()
        self.pad = kernel // 2
        self.depthwise = nn.Conv2d(width, width, kernel, groups=width)
        self.scale = nn.Parameter(torch.ones(latitudes, width))
        self.shift = nn.Parameter(torch.zeros(latitudes, width))
        self.widen = nn.Linear(width, expansion * width)
        self.narrow = nn.Linear(expansion * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(pad_sphere(x, self.pad)).permute(0, 2, 3, 1)
        y = layer_norm(y) * self.scale + self.shift
        return x + self.narrow(gelu(self.widen(y))).permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    """State to increment, both [batch, channel, longitude, latitude]."""

    def __init__(self, config: Any):
        super().__init__()
        grid = spherical.Grid(truncation=config.truncation)
        rows, points = grid.latitudes // 2, 4 * config.channels
        self.embed = nn.Conv2d(config.channels, config.width, 2, stride=2, bias=False)
        self.latitude = nn.Parameter(torch.zeros(rows, config.width))
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(config.width, rows, expansion=config.expansion, kernel=config.kernel)
            for _ in range(config.depth)
        )
        self.head = nn.Linear(config.width, points)
        self.truncate = Truncate(grid, winds=config.winds)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x) + self.latitude.t()[:, None]
        for block in self.blocks:
            x = block(x)
        y = self.head(layer_norm(x.permute(0, 2, 3, 1)))
        y = F.pixel_shuffle(y.permute(0, 3, 1, 2), 2)
        return self.truncate(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    @torch.no_grad()
    def copy_from(self, ours: Any) -> ConvNeXt:
        """Takes the parameters of a `zoo.climate.models.convnext.ConvNeXt`."""
        channels = ours.config.channels
        patches = ours.patches
        _set(
            self.embed.weight,
            _array(patches.embed).reshape(2, 2, channels, -1).transpose(3, 2, 0, 1),
        )
        _set(self.latitude, _array(patches.latitude))
        _set(
            self.head.weight,
            _array(patches.head)
            .reshape(-1, 2, 2, channels)
            .transpose(3, 1, 2, 0)
            .reshape(4 * channels, -1),
        )
        _set(
            self.head.bias,
            _array(patches.head_bias).reshape(2, 2, channels).transpose(2, 0, 1).reshape(-1),
        )
        for twin, block in zip(self.blocks, ours.blocks, strict=True):
            _set(twin.depthwise.weight, _array(block.kernel).transpose(2, 0, 1)[:, None])
            _set(twin.depthwise.bias, _array(block.bias))
            _set(twin.scale, _array(block.scale))
            _set(twin.shift, _array(block.shift))
            for layer, weight, bias in (
                (twin.widen, block.widen, block.widen_bias),
                (twin.narrow, block.narrow, block.narrow_bias),
            ):
                _set(layer.weight, _array(weight).T)
                _set(layer.bias, _array(bias))
        return self


class SpectralFilterFFT(nn.Module):
    """FFT over longitude, Legendre transform, one complex matrix per degree, and back."""

    def __init__(self, width: int, grid: spherical.Grid):
        super().__init__()
        matrices, self.longitudes = spherical._matrices(grid), grid.longitudes
        self.register_buffer("to_degrees", torch.from_numpy(matrices.to_degrees.copy()))
        self.register_buffer("from_degrees", torch.from_numpy(matrices.from_degrees.copy()))
        # Stored as (real, imaginary), as torch-harmonics does, so that every optimiser sees
        # real numbers.
        self.weight = nn.Parameter(torch.zeros(grid.truncation + 1, width, width, 2))

    def forward(self, x: Tensor) -> Tensor:
        orders = self.to_degrees.shape[0]
        waves = torch.view_as_real(
            torch.fft.rfft(x.permute(0, 3, 2, 1), dim=-1, norm="forward")[..., :orders].contiguous()
        )
        coefficients = torch.view_as_complex(
            torch.einsum("mly,bcymp->bclmp", self.to_degrees, waves).contiguous()
        )
        coefficients = torch.einsum(
            "bclm,lcd->bdlm", coefficients, torch.view_as_complex(self.weight)
        )
        waves = torch.einsum(
            "myl,bclmp->bcymp", self.from_degrees, torch.view_as_real(coefficients)
        )
        waves = torch.view_as_complex(waves.contiguous())
        return torch.fft.irfft(waves, n=self.longitudes, dim=-1, norm="forward").permute(0, 3, 2, 1)

    @torch.no_grad()
    def copy_from(self, ours: Any) -> None:
        """Our coefficients are the conjugates of FFT's (cosine + i sine), so the weights
        are, too."""
        real, imaginary = _array(ours.weight)
        _set(self.weight, np.stack([real, -imaginary], -1))


class SpectralFilterMatrix(nn.Module):
    """The same filter with the matrix products of `zoo.climate.models.layers.spherical`, in
    their order: longitude first."""

    def __init__(self, width: int, grid: spherical.Grid):
        super().__init__()
        matrices = spherical._matrices(grid)
        for name in ("to_orders", "from_orders", "to_degrees", "from_degrees"):
            self.register_buffer(name, torch.from_numpy(getattr(matrices, name).copy()))
        self.weight = nn.Parameter(torch.zeros(2, grid.truncation + 1, width, width))

    def forward(self, x: Tensor) -> Tensor:
        waves = torch.einsum("pmx,xbyc->pmbyc", self.to_orders, x)
        coefficients = torch.einsum("mly,pmbyc->lpmbc", self.to_degrees, waves)
        mixed = torch.einsum("lpmbc,lcd->lpmbd", coefficients, torch.cat(self.weight.unbind(0), -1))
        (cosine, cosine_i), (sine, sine_i) = (mixed[:, part].chunk(2, -1) for part in (0, 1))
        mixed = torch.stack([cosine - sine_i, sine + cosine_i], 1)
        waves = torch.einsum("myl,lpmbc->pmbyc", self.from_degrees, mixed)
        return torch.einsum("xpm,pmbyc->xbyc", self.from_orders, waves)

    @torch.no_grad()
    def copy_from(self, ours: Any) -> None:
        """Takes the weights of a `zoo.climate.models.sfno.SpectralFilter`."""
        _set(self.weight, _array(ours.weight))


class SFNOBlock(nn.Module):
    """x + MLP(norm x beside its filtered self)."""

    def __init__(self, width: int, grid: spherical.Grid, *, expansion: int, transform: str):
        super().__init__()
        hidden = expansion * width
        self.scale = nn.Parameter(torch.ones(grid.latitudes, width))
        self.shift = nn.Parameter(torch.zeros(grid.latitudes, width))
        self.filter = (SpectralFilterFFT if transform == "fft" else SpectralFilterMatrix)(
            width, grid
        )
        self.widen = nn.Linear(2 * width, hidden)
        self.narrow = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        y = layer_norm(x) * self.scale + self.shift
        return x + self.narrow(gelu(self.widen(torch.cat([y, self.filter(y)], -1))))


class SFNO(nn.Module):
    """State to increment, both [batch, longitude, latitude, channel]; `transform` is "fft"
    or "matrix"."""

    def __init__(self, config: Any, *, transform: str):
        super().__init__()
        self.longitude_first, grid = (
            transform == "matrix",
            spherical.Grid(truncation=config.truncation),
        )
        self.embed = nn.Linear(config.channels, config.width, bias=False)
        self.latitude = nn.Parameter(torch.zeros(grid.latitudes, config.width))
        self.blocks = nn.ModuleList(
            SFNOBlock(config.width, grid, expansion=config.expansion, transform=transform)
            for _ in range(config.depth)
        )
        self.head = nn.Linear(config.width, config.channels)
        self.truncate = Truncate(grid, winds=config.winds)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(0, 1).contiguous() if self.longitude_first else x
        x = self.embed(x) + self.latitude
        for block in self.blocks:
            x = block(x)
        x = self.head(layer_norm(x))
        return self.truncate(x.transpose(0, 1) if self.longitude_first else x)

    @torch.no_grad()
    def copy_from(self, ours: Any) -> SFNO:
        """Takes the parameters of a `zoo.climate.models.sfno.SFNO`."""
        _set(self.embed.weight, _array(ours.embed).T)
        _set(self.latitude, _array(ours.latitude))
        _set(self.head.weight, _array(ours.head).T)
        _set(self.head.bias, _array(ours.head_bias))
        for twin, block in zip(self.blocks, ours.blocks, strict=True):
            _set(twin.scale, _array(block.scale))
            _set(twin.shift, _array(block.shift))
            twin.filter.copy_from(block.filter)
            _set(twin.widen.weight, _array(block.widen).T)
            _set(twin.widen.bias, _array(block.hidden_bias))
            _set(twin.narrow.weight, _array(block.narrow).T)
            _set(twin.narrow.bias, _array(block.narrow_bias))
        return self


def rollout_loss(model: nn.Module, states: Tensor, ratio: Tensor, area: Tensor) -> Tensor:
    """Area-weighted mean squared error over a rollout; `states` is [batch, time, ...],
    `ratio` and `area` broadcast to a state."""
    state, errors = states[:, 0], []
    for lead in range(1, states.shape[1]):
        state = state + model(state) * ratio
        errors.append((((state - states[:, lead]) / ratio).square() * area).mean())
    return torch.stack(errors).mean()


def _array(parameter: Any) -> np.ndarray:
    return np.array(parameter[...])


def _set(target: Tensor, values: np.ndarray) -> None:
    if tuple(target.shape) != values.shape:
        raise ValueError(f"a twin's parameter has shape {tuple(target.shape)}, ours {values.shape}")
    target.copy_(torch.from_numpy(np.ascontiguousarray(values)))
