"""Which examples a training step sees: an order fixed by (seed, step) alone, resident on
the device or streamed.

Why the order is a function and not the state of an iterator: a run that was killed and
resumed, or that runs on another number of hosts, must see the same examples in the same
steps. `epoch_indices` is that function; everything else here looks examples up by it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

__all__ = ["Order", "Source", "Stream", "Windows", "example_count"]


@functools.lru_cache(maxsize=4)
def _permutation(examples: int, seed: int, epoch: int) -> np.ndarray:
    """The permutation of one epoch, from a counter-based generator keyed by (seed, epoch)."""
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    return generator.permutation(examples).astype(np.int32)


@dataclasses.dataclass(frozen=True)
class Order:
    """The order in which `examples` examples are visited: without replacement within an
    epoch, shuffled anew each epoch.

    Attributes:
        examples: number of examples in the data set.
        batch_size: examples per step, over all hosts together.
        seed: names the order.
    """

    examples: int
    batch_size: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.examples < 1 or self.batch_size < 1:
            raise ValueError(
                f"examples={self.examples} and batch_size={self.batch_size} must both be 1 or more"
            )

    def __call__(self, step: int) -> np.ndarray:
        """Indices [batch_size] of the examples of `step` (counted from 0); a batch may span
        the end of an epoch."""
        positions = np.arange(step * self.batch_size, (step + 1) * self.batch_size, dtype=np.int64)
        epochs, places = np.divmod(positions, self.examples)
        indices = np.empty(self.batch_size, np.int32)
        for epoch in np.unique(epochs):
            chosen = epochs == epoch
            indices[chosen] = _permutation(self.examples, self.seed, int(epoch))[places[chosen]]
        return indices


class Source(Protocol):
    """Anything that reads many examples at once:
    `source(indices) -> pytree of arrays [len(indices), ...]`."""

    def __call__(self, indices: np.ndarray) -> Any: ...


@dataclasses.dataclass(frozen=True)
class Stream:
    """Examples too many for the device: read batch by batch on Grain's threads, ahead of
    the step that needs them.

    Grain is asked for whole batches, never for single examples: per-example sources cost a
    Python call per example (1.3k/s measured here, against 36k/s for batches).

    Attributes:
        source: reads the examples with the given indices. Indices arrive sorted within a
            batch when `sort` is set, which chunked stores like.
        examples: how many there are.
        sort: sort the indices of one batch (its order has no meaning to a mean loss).
        threads: reading threads.
        ahead: batches read ahead.
    """

    source: Callable[[np.ndarray], Any]
    examples: int
    sort: bool = True
    threads: int = 2
    ahead: int = 4

    def batches(
        self, order: Order, *, start: int, stop: int, shard: int = 0, shards: int = 1
    ) -> Iterator[Any]:
        """Yields the batches of steps `start` to `stop`; of each, the part that host
        `shard` of `shards` feeds.

        The state needed to resume is the step itself.
        """
        import grain

        if order.examples != self.examples:
            raise ValueError(
                f"the order covers {order.examples} examples, the stream has {self.examples}"
            )
        if order.batch_size % shards:
            raise ValueError(f"batch_size={order.batch_size} does not divide among {shards} hosts")
        share = order.batch_size // shards

        def read(step: int) -> Any:
            indices = order(start + int(step))[shard * share : (shard + 1) * share]
            return self.source(np.sort(indices) if self.sort else indices)

        options = grain.ReadOptions(
            num_threads=self.threads, prefetch_buffer_size=max(self.ahead, self.threads)
        )
        yield from grain.MapDataset.range(stop - start).map(read).to_iter_dataset(options)


@dataclasses.dataclass(frozen=True)
class Windows:
    """Examples that are windows of long series: an example is `array[start + offsets]` for
    each array.

    Why: pairs and rollouts of a time series overlap, so storing each as an example of its
    own would multiply the data by the length of the window.

    Attributes:
        arrays: pytree of arrays [time, ...], kept on the device once.
        starts: first index of each example, [examples]; choose them so that no window
            crosses from one series into the next.
        offsets: the indices of a window relative to its start.
    """

    arrays: Any
    starts: np.ndarray
    offsets: tuple[int, ...]

    def __post_init__(self) -> None:
        last = int(np.max(self.starts)) + max(self.offsets)
        if (
            last >= (length := example_count(self.arrays))
            or int(np.min(self.starts)) + min(self.offsets) < 0
        ):
            raise ValueError(f"windows reach index {last}, the arrays have {length} times")


def example_count(data: Any) -> int:
    """The number of examples of a `Stream`, of `Windows` or of a pytree of arrays; refuses
    unequal lengths by name."""
    import jax

    if isinstance(data, Stream):
        return data.examples
    if isinstance(data, Windows):
        return len(data.starts)
    lengths = {
        jax.tree_util.keystr(path) or "data": leaf.shape[0]
        for path, leaf in jax.tree_util.tree_leaves_with_path(data)
    }
    if not lengths:
        raise ValueError("data has no arrays")
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"the arrays of data must have one leading length, these differ: {lengths}"
        )
    return next(iter(lengths.values()))
