"""From weights to predictors: what the cards of the E. coli models name.

card -> load_language_model -> predictor(tokens) -> {"log_probability": [window, position, letter]}
card -> load_labeller       -> predictor(tokens) -> {"probability": [window, position, class]}
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from scipy.special import log_softmax, logsumexp, softmax

from zoo.genomics.ecoli.baselines.markov import WINDOWS, Chain
from zoo.genomics.models.masking import MASK, reverse_strand, update_belief
from zoo.genomics.models.members import networks, total_flops

if TYPE_CHECKING:
    from zoo.cards import ModelCard

BATCH = 32
"""Windows per call: more leave the processor's cache."""


class _Networks:
    """Networks `tokens -> [window, position, output]`, compiled once for one shape of batch."""

    def __init__(self, models: Sequence[nnx.Module]):
        split = [nnx.split(model) for model in models]
        graph, self._states = split[0][0], [state for _, state in split]
        self._call = jax.jit(lambda state, tokens: nnx.merge(graph, state)(tokens))

    def __len__(self) -> int:
        return len(self._states)

    def outputs(self, tokens: np.ndarray) -> list[np.ndarray]:
        """Logits float32 `[window, position, output]` of each network."""
        n = len(tokens)
        found: list[list[np.ndarray]] = [[] for _ in self._states]
        for begin in range(0, n, BATCH):
            part = tokens[begin : begin + BATCH]
            whole = (
                np.concatenate([part, np.repeat(part[-1:], BATCH - len(part), 0)])
                if n > BATCH
                else part
            )
            for own, state in zip(found, self._states, strict=True):
                own.append(np.asarray(self._call(state, jnp.asarray(whole)))[: len(part)])
        return [np.concatenate(each) for each in found]

    def flops_per_example(self, tokens: np.ndarray) -> float | None:
        """XLA's count for the windows given, over all networks."""
        from zoo.scoring import cost

        return total_flops(
            [cost.flops(self._call, state, jnp.asarray(tokens)) for state in self._states]
        )


class MaskedLanguageModel:
    """Letters that stood in corrupted windows.

    Attributes:
        input_form, output_form: see `zoo.interfaces.predictor.PretrainedPredictor`.

    Args:
        models: networks `tokens [window, position] -> logits [window, position, letter]`.
        both_strands: whether the mean probability of a window and of its reverse complement
            is given (the geometric mean, normalised).
        length: bases of an example.
    """

    input_form = "tokens int8 [window, position], 6 where a base is hidden"
    output_form = "log_probability float32 [window, position, letter] (nats)"

    def __init__(
        self, models: Sequence[nnx.Module], *, both_strands: bool = True, length: int = 512
    ):
        self._networks, self.both_strands, self.length = _Networks(models), both_strands, length

    def __call__(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Log-probabilities float32 `[window, position, letter]`."""
        tokens = np.asarray(tokens, np.int8)
        found = [log_softmax(each, -1) for each in self._networks.outputs(tokens)]
        if self.both_strands:
            other = [
                log_softmax(each, -1)[:, ::-1, ::-1]
                for each in self._networks.outputs(reverse_strand(tokens))
            ]
            found = [
                log_softmax((first + second) / 2, -1)
                for first, second in zip(found, other, strict=True)
            ]
        log = found[0] if len(found) == 1 else logsumexp(found, 0) - np.log(len(found))
        return {"log_probability": log.astype(np.float32)}

    def flops_per_example(self) -> float | None:
        """XLA's count for one window."""
        count = self._networks.flops_per_example(np.zeros((1, self.length), np.int8))
        return None if count is None else count * (1 + self.both_strands)

    def example_output(self, seed: int) -> np.ndarray:
        """Log-probabilities of two made-up windows, every thirteenth base, flat: a card's
        `expected`."""
        rng = np.random.default_rng(seed)
        tokens = rng.integers(0, 4, (2, self.length)).astype(np.int8)
        tokens[rng.random(tokens.shape) < 0.15] = MASK
        return self(tokens)["log_probability"][:, ::13].ravel()


class ChainedLanguageModel(MaskedLanguageModel):
    """The normalised geometric mean of a masked-language model and of a Markov chain that
    looks both ways (a product of experts).

    What a chosen position shows counts once: both are beliefs from the surroundings times
    the corruption's odds.

    Args:
        models: as `MaskedLanguageModel`.
        chain: its `both_sides` is used.
        length: bases of an example.
    """

    def __init__(self, models: Sequence[nnx.Module], chain: Chain, *, length: int = 512):
        super().__init__(models, length=length)
        self.chain = chain

    def __call__(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Log-probabilities float32 `[window, position, letter]`."""
        tokens = np.asarray(tokens, np.int8)
        network = super().__call__(tokens)["log_probability"]
        for begin in range(0, len(tokens), WINDOWS):
            part = slice(begin, begin + WINDOWS)
            odds = np.log(
                update_belief(np.full(network[part].shape, 0.25, np.float32), tokens[part])
            )
            belief = np.log(self.chain.both_sides(tokens[part]))
            network[part] = log_softmax((network[part] - odds + belief) / 2 + odds, -1)
        return {"log_probability": network}


class BaseLabeller:
    """Classes of the bases of one long sequence, or of windows that adjoin.

    The sequence is read in pieces of `length` bases that overlap by half, each on both
    strands; of each piece the middle half counts, where there is context on both sides.

    Attributes:
        input_form, output_form: see `zoo.interfaces.predictor.PretrainedPredictor`.

    Args:
        models: networks `tokens [piece, position] -> logits [piece, position, class]`,
            classes as the task's.
        length: bases of a piece, a multiple of four.
    """

    input_form = "tokens int8 [window, position] of adjoining windows"
    output_form = "probability float32 [window, position, class]"

    def __init__(self, models: Sequence[nnx.Module], *, length: int = 512):
        self._networks, self.length = _Networks(models), length

    def __call__(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Probabilities float32 `[window, position, class]` of adjoining windows
        `[window, position]`."""
        tokens = np.asarray(tokens, np.int8)
        return {"probability": self.along(tokens.reshape(-1)).reshape(*tokens.shape, -1)}

    def along(self, arc: np.ndarray) -> np.ndarray:
        """Probabilities float32 `[base, class]` along a sequence `[base]`."""
        half, quarter = self.length // 2, self.length // 4
        pieces = -(-len(arc) // half)
        padded = np.full(pieces * half + half, 5, np.int8)  # unknown beyond both ends
        padded[quarter : quarter + len(arc)] = arc
        cut = np.stack(
            [padded[number * half : number * half + self.length] for number in range(pieces)]
        )
        forward = sum(softmax(each, -1) for each in self._networks.outputs(cut))
        reverse = sum(
            softmax(each, -1)[:, ::-1] for each in self._networks.outputs(reverse_strand(cut))
        )[..., [0, 2, 1]]
        mean = (forward + reverse) / (2 * len(self._networks))
        return mean[:, quarter : quarter + half].reshape(pieces * half, -1)[: len(arc)]

    def flops_per_example(self) -> float | None:
        """XLA's count for one window of 1024 bases: each base is read four times, on two
        strands in two pieces."""
        count = self._networks.flops_per_example(np.zeros((1, self.length), np.int8))
        return None if count is None else count * 4 * 1024 / self.length

    def example_output(self, seed: int) -> np.ndarray:
        """Probabilities of a made-up sequence of 2048 bases, every 29th base, flat: a
        card's `expected`."""
        arc = np.random.default_rng(seed).integers(0, 4, 2048).astype(np.int8)
        return self.along(arc)[::29].ravel()


def load_language_model(card: ModelCard, weights: Sequence[Path]) -> MaskedLanguageModel:
    """Factory named by the cards of language models."""
    return MaskedLanguageModel(
        networks(card, weights), both_strands=bool(card.predictor_config.get("both_strands", True))
    )


def load_chained(card: ModelCard, weights: Sequence[Path]) -> ChainedLanguageModel:
    """Factory named by the cards of language models with a chain, whose table lies among
    the weights' transforms."""
    from zoo.pretrained.weights import load

    table = load(weights[0])[1]["chain"]
    return ChainedLanguageModel(
        networks(card, weights), Chain.of_table(table, int(card.predictor_config["order"]))
    )


def load_labeller(card: ModelCard, weights: Sequence[Path]) -> BaseLabeller:
    """Factory named by the cards of gene labellers."""
    return BaseLabeller(networks(card, weights))
