"""The training loop: exact resumption, one order per seed, data-parallel equality, and
errors that name the step."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from regression_runs import (
    Regressor,
    assert_equal,
    examples,
    squared_error,
    timeless,
    train,
    weights,
)

from zoo.train.batches import Order, Stream
from zoo.train.loop import LoopConfig, NonFiniteLoss, fit


def test_training_lowers_the_loss_and_leaves_the_given_model_alone():
    model = Regressor(rngs=nnx.Rngs(0))
    before = np.asarray(model.hidden.kernel[...])
    result = fit(
        model,
        squared_error,
        examples(),
        optax.adamw(1e-2),
        config=LoopConfig(200, 16, log_every=50),
    )
    assert result.history[-1]["loss"] < 0.3 * result.history[0]["loss"]
    np.testing.assert_array_equal(before, np.asarray(model.hidden.kernel[...]))
    assert not np.array_equal(
        np.asarray(model.norm.mean[...]), np.asarray(result.model.norm.mean[...])
    )


@pytest.mark.parametrize("unroll", [False, True])
def test_several_steps_per_call_take_the_same_path_as_single_steps(unroll):
    single = train(LoopConfig(20, 8, log_every=10, ema_decay=0.9))
    fused = train(LoopConfig(20, 8, steps_per_call=5, unroll=unroll, log_every=10, ema_decay=0.9))
    for a, b in zip(weights(single), weights(fused), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("steps_per_call", [1, 2])
def test_microbatches_take_the_same_path_as_whole_batches(steps_per_call):
    def loss(model, batch, key):
        error = model(batch["x"])[:, 0] - batch["y"]
        return jnp.mean(error**2), {"absolute_error": jnp.mean(jnp.abs(error))}

    def run(microbatch_size):
        config = LoopConfig(6, 8, steps_per_call, log_every=2, microbatch_size=microbatch_size)
        return fit(
            nnx.Linear(3, 1, rngs=nnx.Rngs(0)), loss, examples(), optax.sgd(0.1), config=config
        )

    whole = run(None)
    for size in (2, 4, 8):
        parts = run(size)
        for a, b in zip(weights(parts), weights(whole), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        for a, b in zip(timeless(parts.history), timeless(whole.history), strict=True):
            assert a == pytest.approx(b, rel=1e-4)


def test_each_microbatch_has_a_random_key_of_its_own_and_hands_its_statistics_on():
    def loss(model, batch, key):
        model.seen[...] += len(batch["x"])
        draw = jax.random.uniform(key)
        return jnp.mean(model.scale[...] ** 2), {"draw": draw, "square": draw**2}

    class Counter(nnx.Module):
        def __init__(self):
            self.scale, self.seen = nnx.Param(jnp.ones(())), nnx.Variable(jnp.zeros(()))

    result = fit(
        Counter(),
        loss,
        examples(),
        optax.sgd(0.1),
        config=LoopConfig(2, 8, log_every=1, microbatch_size=2),
    )
    assert float(result.model.seen[...]) == 16
    assert len(result.history) == 2
    assert all(row["square"] - row["draw"] ** 2 > 1e-4 for row in result.history)


def test_one_seed_gives_one_result_and_another_seed_another():
    config = LoopConfig(12, 8, log_every=4)
    assert_equal(train(config), train(config))
    other = train(LoopConfig(12, 8, log_every=4, seed=1))
    assert not np.array_equal(weights(train(config))[0], weights(other)[0])


def test_a_streamed_run_equals_the_resident_one():
    data = examples()
    stream = Stream(
        lambda indices: {k: v[indices] for k, v in data.items()}, examples=50, sort=False
    )
    config = LoopConfig(12, 8, steps_per_call=2, log_every=4)
    for a, b in zip(weights(train(config)), weights(train(config, data=stream)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_nan_stops_the_run_and_names_the_step_and_the_last_checkpoint(tmp_path):
    data = examples()
    bad = Order(50, 8, seed=0)(6)[0]
    data["y"][bad] = np.nan
    first = next(step for step in range(7) if bad in Order(50, 8, seed=0)(step))
    with pytest.raises(
        NonFiniteLoss,
        match=rf"loss of step {first} is nan; the last checkpoint is step {first // 2 * 2} ",
    ):
        train(LoopConfig(20, 8, log_every=2, checkpoint_every=2), data=data, directory=tmp_path)


def test_validation_sees_the_averaged_weights_that_are_returned():
    seen = []

    def weights_of(model):
        return np.asarray(model.out.kernel[...])

    def validate(model):
        seen.append(weights_of(model))
        return {"score": 1.0}

    result = train(
        LoopConfig(8, 8, log_every=4, validate_every=4, ema_decay=0.99), validate=validate
    )
    np.testing.assert_array_equal(seen[-1], weights_of(result.model))
    assert result.history[-1]["validation_score"] == 1.0


def test_two_devices_take_the_same_path_as_one():
    """Data-parallel training averages gradients over devices: the same run up to the order
    of sums."""
    script = textwrap.dedent(f"""
        import sys
        sys.path[:0] = [{str(pathlib.Path(__file__).parents[1] / "fixtures")!r}]
        import jax, numpy as np, regression_runs as runs
        from jax.sharding import Mesh
        from zoo.train.loop import LoopConfig
        assert jax.device_count() == 2
        for microbatch_size in (None, 4):
            config = LoopConfig(10, 8, log_every=5, microbatch_size=microbatch_size)
            two = runs.train(config)
            one = runs.train(config, mesh=Mesh(np.asarray(jax.devices()[:1]), ("data",)))
            for a, b in zip(runs.weights(two), runs.weights(one), strict=True):
                np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4)
        print("equal")
    """)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=pathlib.Path(__file__).parents[2],
        env=os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
    )
    assert done.stdout.strip() == "equal", done.stderr[-2000:]
