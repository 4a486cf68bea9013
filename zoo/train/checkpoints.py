"""Checkpoints of a run in progress (Orbax): everything that the rest of the run depends on,
written atomically.

Not the published weights: those are safetensors files written by `zoo.pretrained.weights`.
A checkpoint belongs to one run on one machine and may be deleted when the run is done.
"""

from __future__ import annotations

import pathlib
from typing import Any

import jax

__all__ = ["Checkpoints"]


def _storable(tree: Any) -> Any:
    """Random keys as their raw bits, everything else as it is."""
    return jax.tree.map(
        lambda leaf: (
            jax.random.key_data(leaf)
            if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            else leaf
        ),
        tree,
    )


def _like(tree: Any, template: Any) -> Any:
    """Undoes `_storable`, with the key types of `template`."""
    return jax.tree.map(
        lambda leaf, old: (
            jax.random.wrap_key_data(leaf, impl=jax.random.key_impl(old))
            if jax.dtypes.issubdtype(old.dtype, jax.dtypes.prng_key)
            else leaf
        ),
        tree,
        template,
    )


class Checkpoints:
    """The checkpoints of one run in one folder.

    A checkpoint is first written under a temporary name and then renamed, so that a process
    killed at any moment leaves either the old one or the new one, never a half.
    """

    def __init__(self, directory: str | pathlib.Path, *, keep: int = 2) -> None:
        import orbax.checkpoint as ocp

        self.directory = pathlib.Path(directory).absolute()
        self._ocp = ocp
        # Synchronous writing: these models are a few megabytes, and the state is donated to
        # the next step.
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep, enable_async_checkpointing=False, create=True
        )
        self._manager = ocp.CheckpointManager(self.directory, options=options)

    def latest(self) -> int | None:
        """The step of the newest complete checkpoint, None when there is none."""
        return self._manager.latest_step()

    def save(
        self, step: int, state: Any, history: list[dict[str, float]], *, run: dict[str, Any]
    ) -> None:
        """Writes the state after `step` steps, the history so far and what defines the run."""
        args = self._ocp.args
        self._manager.save(
            step,
            args=args.Composite(
                state=args.StandardSave(list(jax.tree.leaves(_storable(state)))),
                progress=args.JsonSave({"history": history, "run": run}),
            ),
        )
        self._manager.wait_until_finished()

    def restore(
        self, step: int, template: Any, *, run: dict[str, Any]
    ) -> tuple[Any, list[dict[str, float]]]:
        """The state and the history saved at `step`, with the structure, dtypes and
        placement of `template`.

        Refuses a checkpoint of another run: the same folder with another seed or batch size
        would resume silently into a run that nobody can repeat.
        """
        args = self._ocp.args
        found = self._manager.restore(step, args=args.Composite(progress=args.JsonRestore()))[
            "progress"
        ]
        differing = {k: (found["run"].get(k), run[k]) for k in run if found["run"].get(k) != run[k]}
        if differing:
            listed = ", ".join(
                f"{name} was {old!r}, now {new!r}" for name, (old, new) in differing.items()
            )
            raise ValueError(
                f"the checkpoint in {self.directory} belongs to another run: {listed}. Give "
                "another checkpoint_dir, or delete that one."
            )
        leaves, structure = jax.tree.flatten(template)
        abstract = [
            jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding)
            for a in jax.tree.leaves(_storable(template))
        ]
        restored = self._manager.restore(
            step, args=args.Composite(state=args.StandardRestore(abstract))
        )["state"]
        return jax.tree.unflatten(structure, _like(list(restored), leaves)), found["history"]

    def close(self) -> None:
        """Releases the folder."""
        self._manager.close()
