"""What a network with attention shows of itself."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Attends(Protocol):
    """What an explained model gives where it has attention: the weights of each layer, by name."""

    def attention(self, inputs: Any) -> dict[str, np.ndarray]:
        """Layer -> weights `[example, head, query, key]`, each row of keys summing to one."""
        ...
