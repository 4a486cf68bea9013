"""The training loop: exact resumption, one order per seed, data-parallel equality, and
errors that name the step."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from zoo.train.batches import Order, Stream, Windows
from zoo.train.loop import LoopConfig, NonFiniteLoss, fit


class Regressor(nnx.Module):
    """Two layers with dropout and a running mean: every kind of state that a run must carry
    along."""

    def __init__(self, *, rngs: nnx.Rngs):
        # No bias: under a batch norm its gradient is rounding noise, which Adam would blow up.
        self.hidden = nnx.Linear(3, 8, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)
        self.out = nnx.Linear(8, 1, rngs=rngs)

    def __call__(self, x):
        return self.out(self.dropout(jax.nn.gelu(self.norm(self.hidden(x)))))[:, 0]


def squared_error(model, batch, key):
    noise = 0.01 * jax.random.normal(key, batch["x"].shape)
    error = model(batch["x"] + noise) - batch["y"]
    return jnp.mean(error**2), {"absolute_error": jnp.mean(jnp.abs(error))}


def examples(n=50):
    x = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    return {"x": x, "y": (x @ np.array([1.0, -2.0, 0.5], np.float32)).astype(np.float32)}


def train(config, *, data=None, directory=None, loss=squared_error, **options):
    model = Regressor(rngs=nnx.Rngs(0))
    return fit(
        model,
        loss,
        examples() if data is None else data,
        optax.adamw(1e-2),
        config=config,
        checkpoint_dir=directory,
        **options,
    )


def weights(result):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(nnx.state(result.model, nnx.Param))]


def assert_equal(first, second):
    for a, b in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(a, b)
    assert timeless(first.history) == timeless(second.history)


def timeless(history):
    return [{k: v for k, v in row.items() if k != "seconds_per_step"} for row in history]


def test_an_epoch_visits_every_example_once_and_the_order_changes_between_epochs():
    order = Order(10, 4, seed=3)
    visited = np.concatenate([order(step) for step in range(5)])
    assert sorted(visited[:10]) == sorted(visited[10:]) == list(range(10))
    assert list(visited[:10]) != list(visited[10:])
    np.testing.assert_array_equal(order(3), Order(10, 4, seed=3)(3))
    assert not np.array_equal(order(3), Order(10, 4, seed=4)(3))


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


def test_windows_of_a_series_are_the_examples_they_stand_for():
    data = examples(60)
    starts = np.arange(50)
    windows = Windows(data, starts, (0, 3))
    config = LoopConfig(6, 8, log_every=2)

    def from_windows(model, batch, key):
        return squared_error(model, {"x": batch["x"][:, 0], "y": batch["y"][:, 1]}, key)

    pairs = {"x": data["x"][:50], "y": data["y"][3:53]}
    for a, b in zip(
        weights(train(config, data=windows, loss=from_windows)),
        weights(train(config, data=pairs)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="windows reach index 62, the arrays have 60"):
        Windows(data, starts + 10, (0, 3))


def test_a_stream_shards_each_batch_among_hosts():
    stream = Stream(lambda indices: indices, examples=50, sort=False)
    order = Order(50, 8, seed=0)
    halves = [list(stream.batches(order, start=2, stop=4, shard=k, shards=2)) for k in range(2)]
    np.testing.assert_array_equal(np.concatenate([halves[0][1], halves[1][1]]), order(3))


def test_a_run_stopped_at_a_checkpoint_resumes_to_the_same_result(tmp_path):
    whole = train(
        LoopConfig(20, 8, log_every=4, checkpoint_every=4, ema_decay=0.9),
        directory=tmp_path / "whole",
    )
    train(
        LoopConfig(8, 8, log_every=4, checkpoint_every=4, ema_decay=0.9),
        directory=tmp_path / "parts",
    )
    resumed = train(
        LoopConfig(20, 8, log_every=4, checkpoint_every=4, ema_decay=0.9),
        directory=tmp_path / "parts",
    )
    assert_equal(whole, resumed)


def test_a_run_can_be_stopped_by_the_caller_and_goes_on_later(tmp_path):
    config = LoopConfig(20, 8, log_every=4, ema_decay=0.9)
    stopped = train(config, directory=tmp_path, stop=lambda: True)
    assert stopped.history[-1]["step"] == 4
    assert_equal(train(config, directory=tmp_path), train(config))


CHILD = """
    import sys, time
    sys.path[:0] = [{tests!r}]
    import test_loop
    from zoo.train.loop import LoopConfig
    config = LoopConfig(60, 8, log_every=5, checkpoint_every=5, ema_decay=0.9)
    def report(row):
        print(row["step"], flush=True)
        time.sleep(.02)
    test_loop.train(config, directory=sys.argv[1], on_progress=report)
"""


def test_a_run_killed_at_any_moment_resumes_to_the_same_result(tmp_path):
    """kill -9 in the middle, perhaps while a checkpoint is being written."""
    script = textwrap.dedent(CHILD.format(tests=str(pathlib.Path(__file__).parent)))
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=pathlib.Path(__file__).parents[2],
    )
    target = int(np.random.default_rng().integers(2, 9)) * 5
    for line in child.stdout:
        if int(line) >= target:
            break
    time.sleep(float(np.random.default_rng().uniform(0, 0.04)))
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    config = LoopConfig(60, 8, log_every=5, checkpoint_every=5, ema_decay=0.9)
    assert_equal(
        train(config, directory=tmp_path / "whole"), train(config, directory=tmp_path / "run")
    )


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    train(LoopConfig(4, 8, log_every=4), directory=tmp_path)
    with pytest.raises(ValueError, match="seed was 0, now 1"):
        train(LoopConfig(8, 8, seed=1, log_every=4), directory=tmp_path)


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


def test_impossible_settings_are_refused():
    with pytest.raises(
        ValueError, match="checkpoint_every=5 must be a positive multiple of steps_per_call=2"
    ):
        LoopConfig(10, 4, steps_per_call=2, checkpoint_every=5, log_every=2)
    with pytest.raises(ValueError, match="one leading length"):
        train(LoopConfig(4, 4, log_every=4), data={"x": np.zeros((4, 3)), "y": np.zeros(5)})
    for size in (0, 3, 16):
        with pytest.raises(ValueError, match=f"microbatch_size={size} must divide batch_size=8"):
            LoopConfig(10, 8, log_every=2, microbatch_size=size)


def test_two_devices_take_the_same_path_as_one():
    """Data-parallel training averages gradients over devices: the same run up to the order
    of sums."""
    script = textwrap.dedent(f"""
        import sys
        sys.path[:0] = [{str(pathlib.Path(__file__).parent)!r}]
        import jax, numpy as np, test_loop
        from jax.sharding import Mesh
        from zoo.train.loop import LoopConfig
        assert jax.device_count() == 2
        for microbatch_size in (None, 4):
            config = LoopConfig(10, 8, log_every=5, microbatch_size=microbatch_size)
            two = test_loop.train(config)
            one = test_loop.train(config, mesh=Mesh(np.asarray(jax.devices()[:1]), ("data",)))
            for a, b in zip(test_loop.weights(two), test_loop.weights(one), strict=True):
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
