"""Gene labels without a network: the majority class, hexamers counted in frame, and a
hidden Markov model of period three.

All are fitted to the train arc's annotation, read on both strands: the reverse complement
turns genes of one strand into genes of the other. Settings are chosen on the validation arc
(`choose`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from zoo.genomics.data.sequences import kmer_index, reverse_complement

if TYPE_CHECKING:
    from zoo.genomics.data import Features
    from zoo.genomics.ecoli.task import EColiGenes

Predictor = Callable[[np.ndarray], dict[str, np.ndarray]]
SWAPPED = np.array([0, 2, 1, 3])
"""Labels as seen from the other strand."""
PIECE, MARGIN = 2048, 1024
"""The hidden Markov model decodes pieces of so many bases side by side, each with margins
that are thrown away."""


def majority(task: EColiGenes) -> Predictor:
    """The most frequent class of the train arc, everywhere."""
    label = np.bincount(task.arc("train", task.labels), minlength=4)[:3].argmax()
    return lambda tokens: {"label": np.full(tokens.shape, label, np.uint8)}


def hexamer(task: EColiGenes, *, window: int, threshold: float) -> Predictor:
    """Log-odds of in-frame hexamers, summed over a sliding window (dicodon usage: Fickett &
    Tung 1992, doi:10.1093/nar/20.24.6441).

    The score of a base in one of six frames is the mean over the window's codons of ln
    P(hexamer | coding, in frame) / P(hexamer | non-coding). The best frame gives the
    strand; below the threshold the base is non-coding.

    Args:
        task: gives the train arc with its genes.
        window: bases on which a score rests.
        threshold: in nats a codon.
    """
    tokens, phase = task.arc("train"), codon_phase(task)
    odds = hexamer_odds(tokens, task.arc("train", task.labels), task.arc("train", phase))

    def predict(windows: np.ndarray) -> dict[str, np.ndarray]:
        arc = windows.reshape(-1)
        plus, minus = (
            frame_score(arc, odds, window),
            frame_score(reverse_complement(arc), odds, window)[::-1],
        )
        label = np.where(np.maximum(plus, minus) < threshold, 0, np.where(plus >= minus, 1, 2))
        return {"label": label.astype(np.uint8).reshape(windows.shape)}

    return predict


def periodic_markov(task: EColiGenes, *, order: int, strength: float, switch: float) -> Predictor:
    """Seven states: non-coding, and three codon positions on either strand, each with a
    Markov chain of its own; posterior labels.

    The inhomogeneous chains of GeneMark (Borodovsky & McIninch 1993,
    doi:10.1016/0097-8485(93)85004-V) as states of a hidden Markov model; chances of leaving
    a gene or a gap are the train arc's. It knows no start codon and no ribosome binding
    site; stop codons it knows as words that do not occur in frame.

    Args:
        task: gives the train arc with its genes.
        order: bases of context.
        strength: pseudocounts that the shorter context is worth.
        switch: by which the chances of leaving a state are multiplied: emissions overstate
            their evidence.
    """
    model = PeriodicMarkov.fit(task, order=order, strength=strength, switch=switch)
    return lambda windows: {
        "probability": model.posterior(windows.reshape(-1)).reshape(*windows.shape, 3)
    }


def codon_phase(task: EColiGenes) -> np.ndarray:
    """Codon position 0, 1, 2 of each base of the genome in its CDS, int8 `[base]`; -1
    outside; of overlapping CDS the last row's."""
    return _phase(len(task.tokens), task.features)


def _phase(length: int, features: Features) -> np.ndarray:
    out = np.full(length, -1, np.int8)
    rows = zip(
        features.start, features.stop, features.strand, features.phase, features.pseudo, strict=True
    )
    for start, stop, strand, phase, pseudo in rows:
        if not pseudo:
            place = np.arange(stop - start) if strand > 0 else np.arange(stop - start)[::-1]
            out[start:stop] = (place - int(phase)) % 3
    return out


def _both_strands(
    tokens: np.ndarray, label: np.ndarray, phase: np.ndarray
) -> Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    yield tokens, label, phase
    yield reverse_complement(tokens), SWAPPED[label][::-1], phase[::-1]


def hexamer_odds(tokens: np.ndarray, label: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """ln of the odds of each hexamer `[4096]`: at a first codon position of a forward gene,
    against non-coding bases.

    One pseudocount a hexamer.
    """
    counts = np.ones((2, 4096))
    for letters, own, place in _both_strands(tokens, label, phase):
        index = kmer_index(letters, 6)
        n = len(index)
        inside = (own[:n] == 1) & (own[5:] == 1) & (place[:n] == 0)
        outside = (own[:n] == 0) & (own[5:] == 0)
        for row, chosen in enumerate((inside, outside)):
            counts[row] += np.bincount(index[chosen & (index >= 0)], minlength=4096)
    return np.log(counts[0] / counts[0].sum()) - np.log(counts[1] / counts[1].sum())


def frame_score(arc: np.ndarray, odds: np.ndarray, window: int) -> np.ndarray:
    """The best of the three forward frames' mean log-odds a codon around each base, float64
    `[base]`.

    The window holds the hexamers that begin up to half a window before the base or less
    than half a window after it.
    """
    index = kmer_index(arc, 6)
    value = np.zeros(len(arc))
    value[: len(index)] = np.where(index >= 0, odds[index], 0.0)
    low = np.maximum(np.arange(len(arc)) - window // 2, 0)
    high = np.minimum(np.arange(len(arc)) + window // 2, len(arc))
    best = np.full(len(arc), -np.inf)
    for frame in range(3):
        ours = np.arange(len(arc)) % 3 == frame
        total, codons = np.r_[0.0, np.cumsum(value * ours)], np.r_[0, np.cumsum(ours)]
        best = np.maximum(
            best, (total[high] - total[low]) / np.maximum(codons[high] - codons[low], 1)
        )
    return best


class PeriodicMarkov:
    """The hidden Markov model behind `periodic_markov`.

    Its seven *frame states* stay the same along a gene: 0 non-coding; 1 to 3 forward, where
    base i has codon position (i + state - 1) mod 3; 4 to 6 reverse, codon position (state -
    4 - i) mod 3.

    Attributes:
        tables: ln P(base | context) float32 `[chain, context, letter]` of the chains
            non-coding, forward 0 to 2, reverse 0 to 2.
        log_step: ln of the transitions `[state, state]`.
        order: bases of context.
    """

    def __init__(self, tables: np.ndarray, step: np.ndarray, order: int):
        self.tables, self.step, self.order = tables, step, order

    @classmethod
    def fit(cls, task: EColiGenes, *, order: int, strength: float, switch: float) -> PeriodicMarkov:
        """Counts on the train arc."""
        label, phase = task.arc("train", task.labels), task.arc("train", codon_phase(task))
        counts, moves = np.zeros((7, 4 ** (order + 1))), np.zeros((7, 7))
        for letters, own, place in _both_strands(task.arc("train"), label, phase):
            chain = chain_of(own, place)
            index = kmer_index(letters, order + 1)
            known = chain[order:]
            for each in range(7):
                counts[each] += np.bincount(
                    index[(known == each) & (index >= 0)], minlength=counts.shape[1]
                )
            state = frame_state(chain)
            pairs = (state[:-1] >= 0) & (state[1:] >= 0)
            moves += np.bincount(state[:-1][pairs] * 7 + state[1:][pairs], minlength=49).reshape(
                7, 7
            )
        # One pseudocount a letter, then each longer context falls back on the one before.
        table = np.full((7, 1, 4), 0.25)
        for j in range(order + 1):
            n = counts.reshape(7, 4 ** (order - j), 4**j, 4).sum(1)
            table = np.tile(table, (1, 4, 1)) if j else table
            table = (n + strength * table) / (n.sum(-1, keepdims=True) + strength)
        step = (moves + 0.5) / (moves + 0.5).sum(1, keepdims=True)
        step = step * switch
        np.fill_diagonal(step, 0.0)
        np.fill_diagonal(step, 1.0 - step.sum(1))
        return cls(np.log(table).astype(np.float32), step, order)

    def emissions(self, arc: np.ndarray) -> np.ndarray:
        """ln P(base | bases before it, state) float32 `[base, state]`; zero for the first
        bases, which lack a context."""
        index = kmer_index(arc, self.order + 1)
        by_chain = np.zeros((len(arc), 7), np.float32)
        by_chain[self.order :] = np.where(
            index[:, None] >= 0, self.tables.reshape(7, -1)[:, index].T, 0.0
        )
        place = np.arange(len(arc)) % 3
        out = np.empty_like(by_chain)
        out[:, 0] = by_chain[:, 0]
        rows = np.arange(len(arc))
        for frame in range(3):
            out[:, 1 + frame] = by_chain[rows, 1 + (place + frame) % 3]
            out[:, 4 + frame] = by_chain[rows, 4 + (frame - place) % 3]
        return out

    def posterior(self, arc: np.ndarray) -> np.ndarray:
        """P(class | the sequence around) float32 `[base, class]`: forward-backward (Rabiner
        1989, doi:10.1109/5.18626) over pieces."""
        log = self.emissions(arc)
        pieces = -(-len(arc) // PIECE)
        padded = np.zeros((pieces * PIECE + 2 * MARGIN, 7), np.float32)
        padded[MARGIN : MARGIN + len(arc)] = log - log.max(-1, keepdims=True)
        likelihood = np.exp(
            np.stack([padded[n * PIECE : n * PIECE + PIECE + 2 * MARGIN] for n in range(pieces)], 1)
        )
        ahead = np.empty_like(likelihood)
        state = np.full((pieces, 7), 1 / 7, np.float32)
        step = self.step.astype(np.float32)
        for t in range(len(likelihood)):
            state = (state @ step if t else state) * likelihood[t]
            state /= state.sum(-1, keepdims=True)
            ahead[t] = state
        back = np.full((pieces, 7), 1 / 7, np.float32)
        for t in range(len(likelihood) - 1, -1, -1):
            ahead[t] *= back
            back = (back * likelihood[t]) @ step.T
            back /= back.sum(-1, keepdims=True)
        middle = ahead[MARGIN : MARGIN + PIECE].transpose(1, 0, 2).reshape(-1, 7)[: len(arc)]
        middle /= middle.sum(-1, keepdims=True)
        return np.stack([middle[:, 0], middle[:, 1:4].sum(1), middle[:, 4:].sum(1)], 1)


def chain_of(label: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Which of the seven chains each base is of, int64 `[base]`: 0 non-coding, 1 + codon
    position, 4 + codon position; -1 not scored."""
    coding = np.where(label == 1, 1 + phase, np.where(label == 2, 4 + phase, 0)).astype(np.int64)
    return np.where((label == 3) | ((label > 0) & (phase < 0)), -1, coding)


def frame_state(chain: np.ndarray) -> np.ndarray:
    """The frame state of each base from its chain (see `PeriodicMarkov`), int64 `[base]`;
    -1 stays."""
    place = np.arange(len(chain))
    forward, reverse = 1 + (chain - 1 - place) % 3, 4 + (chain - 4 + place) % 3
    return np.where(chain <= 0, chain, np.where(chain <= 3, forward, reverse))


def choose(task: EColiGenes) -> Iterable[tuple[str, float]]:
    """Macro-F1 on the validation arc of every setting that was tried; the task's TOML holds
    the best of each family."""
    from zoo.genomics.ecoli.metrics import genes

    examples = task.examples("validation")

    def score(predictor: Predictor) -> float:
        table = genes.confusion(
            examples.targets, task.record(predictor(examples.inputs), examples)["predicted"], 3
        ).sum(0)
        return float(genes.macro_f1(table))

    for window in (96, 150, 240, 360):
        for threshold in (0.0, 0.05, 0.1, 0.15, 0.2, 0.3):
            yield (
                f"hexamer window={window} threshold={threshold}",
                score(hexamer(task, window=window, threshold=threshold)),
            )
    for order in (2, 3, 4, 5):
        for switch in (1.0, 0.1, 0.01):
            made = periodic_markov(task, order=order, strength=20.0, switch=switch)
            yield f"periodic_markov order={order} strength=20 switch={switch}", score(made)
