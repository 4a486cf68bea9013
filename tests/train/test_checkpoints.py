"""A run goes on from its checkpoint to the identical result, or says why it cannot."""

from __future__ import annotations

import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from regression_runs import assert_equal, train

from zoo.train.loop import LoopConfig


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


FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures"
CHILD = """
    import sys, time
    sys.path[:0] = [{fixtures!r}]
    import regression_runs
    from zoo.train.loop import LoopConfig
    config = LoopConfig(60, 8, log_every=5, checkpoint_every=5, ema_decay=0.9)
    def report(row):
        print(row["step"], flush=True)
        time.sleep(.02)
    regression_runs.train(config, directory=sys.argv[1], on_progress=report)
"""


def test_a_run_killed_at_any_moment_resumes_to_the_same_result(tmp_path):
    """kill -9 in the middle, perhaps while a checkpoint is being written."""
    script = textwrap.dedent(CHILD.format(fixtures=str(FIXTURES)))
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=FIXTURES.parents[1],
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
