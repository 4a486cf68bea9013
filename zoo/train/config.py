"""What defines a training run, apart from model, loss, data and optimiser."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class LoopConfig:
    """What defines a run, apart from model, loss, data and optimiser.

    Attributes:
        steps: optimiser steps of the whole run; a resumed run counts the steps before it
            was interrupted.
        batch_size: examples per step, over all devices and hosts.
        steps_per_call: steps fused into one call of the compiled function. More than one
            saves dispatch (worth it for steps under some 10 ms) and costs compile time
            where `unroll` is on.
        unroll: unroll those steps instead of looping on the device. None: on CPU yes,
            because the gradient of a convolution inside a CPU loop was measured up to 58x
            slower; on accelerators no.
        seed: names the order of examples and all random keys.
        checkpoint_every: steps between checkpoints; None: only at the end, if there is a folder.
        validate_every: steps between validations; None: never.
        log_every: steps that one row of the history averages.
        ema_decay: decay of the exponential average of the weights. Where set, the averaged
            weights are the ones that are validated and returned.
        microbatch_size: examples that go through the network at once; the step's gradient
            is the mean over its microbatches (gradient accumulation), as are its loss and
            scalars. None: the whole batch. On CPU it decides whether what the backward pass
            needs stays in the cache and in memory that malloc keeps: attention among 64
            particles takes 3 MB a jet, and a step of 64 such jets 283 ms of CPU time at
            once (96 of them page faults) and 154 ms four at a time. Each microbatch has a
            random key of its own.
    """

    steps: int
    batch_size: int
    steps_per_call: int = 1
    unroll: bool | None = None
    seed: int = 0
    checkpoint_every: int | None = None
    validate_every: int | None = None
    log_every: int = 100
    ema_decay: float | None = None
    microbatch_size: int | None = None

    def __post_init__(self) -> None:
        if self.steps < 1 or self.steps_per_call < 1:
            raise ValueError(
                f"steps={self.steps} and steps_per_call={self.steps_per_call} must both be 1 or "
                "more"
            )
        for name in ("steps", "checkpoint_every", "validate_every", "log_every"):
            value = getattr(self, name)
            if value is not None and (value < 1 or value % self.steps_per_call):
                raise ValueError(
                    f"{name}={value} must be a positive multiple of "
                    f"steps_per_call={self.steps_per_call}"
                )
        if self.microbatch_size is not None and (
            self.microbatch_size < 1 or self.batch_size % self.microbatch_size
        ):
            raise ValueError(
                f"microbatch_size={self.microbatch_size} must divide batch_size={self.batch_size}"
            )
        if self.ema_decay is not None and not 0.0 <= self.ema_decay < 1.0:
            raise ValueError(f"ema_decay={self.ema_decay} must lie in [0, 1)")
