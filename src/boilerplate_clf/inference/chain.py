"""From logits to probabilities, over a whole document: a linear chain over its paragraphs.

Appeals come in runs: a plea has a salutation, paragraphs that name no money, and a sign-off. Encoder and
n-grams judge each paragraph; the chain adds how labels follow one another (a linear-chain conditional
random field, Lafferty et al. 2001, whose transitions are counted and whose three weights are fitted in
calibration) and gives each paragraph's marginal probabilities by the forward-backward algorithm (Rabiner
1989).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def softmax(logits: npt.NDArray[Any]) -> Floats:
    """Return probabilities over the last axis; large logits do not overflow."""
    scaled = logits.astype(np.float64)
    result: Floats = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    result /= result.sum(axis=-1, keepdims=True)
    return result


@dataclass(frozen=True)
class Chain:
    """The weights of the chain; without transitions and bias it is a softmax."""

    temperature: float
    """Divides the logits (Guo et al. 2017)."""
    transitions: tuple[tuple[float, ...], ...]
    """Log weight of label j after label i; no rows: paragraphs are independent."""
    bias: tuple[float, ...]
    """Added to each label's scaled logit; empty: nothing."""

    def marginals(self, logits: Sequence[npt.NDArray[Any]]) -> list[Floats]:
        """Return the probabilities ``(paragraphs, labels)`` of each document.

        Args:
            logits: ``(paragraphs, labels)`` of each document.
        """
        if not logits:
            return []
        lengths = [len(part) for part in logits]
        return np.split(self.flat_marginals(np.concatenate(logits), lengths), np.cumsum(lengths)[:-1])

    def flat_marginals(self, logits: npt.NDArray[Any], lengths: Sequence[int]) -> Floats:
        """Return the probabilities of several documents' paragraphs, one document after another.

        Args:
            logits: ``(paragraphs, labels)`` of all documents.
            lengths: paragraphs of each document.
        """
        scores = logits.astype(np.float64) / self.temperature + (np.asarray(self.bias) if self.bias else 0.0)
        emission: Floats = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
        if self.transitions and len(emission):
            starts = np.cumsum([0, *lengths[:-1]])
            emission = self._forward_backward(emission, starts[starts < len(emission)])
        emission /= emission.sum(axis=1, keepdims=True)
        return emission

    def _forward_backward(self, emission: Floats, starts: npt.NDArray[np.int64]) -> Floats:
        """Return unnormalised marginals; every step is scaled, so nothing can underflow.

        All documents are one chain, in which nothing passes from one to the next. It is cut into blocks that
        are worked on side by side (a blocked scan, Blelloch 1990): a few dozen array operations for an
        article, and as many as the root of the paragraphs for a book.

        Args:
            emission: ``(paragraphs, labels)``.
            starts: first paragraph of each document.
        """
        number, size = emission.shape
        width = math.isqrt(number - 1) + 1
        blocks = -(-number // width)
        # links[t][i, j]: weight of going on from label i to label j at paragraph t; all alike where a
        # document begins, nothing at all happens behind the last one.
        links = np.empty((blocks * width, size, size))
        links[:number] = np.exp(np.asarray(self.transitions))
        links[starts] = 1.0
        links[:number] *= emission[:, None, :]
        links[number:] = np.eye(size)
        links = links.reshape(blocks, width, size, size)

        until, after = np.empty_like(links), np.empty_like(links)  # products within a block
        until[:, 0], after[:, -1] = links[:, 0], np.eye(size)
        for place in range(1, width):
            until[:, place] = _scaled(until[:, place - 1] @ links[:, place])
            after[:, -place - 1] = _scaled(links[:, -place] @ after[:, -place])
        forward, backward = np.ones((blocks, 1, size)), np.ones((blocks, size, 1))  # at a block's borders
        for block in range(1, blocks):
            forward[block] = _scaled(forward[block - 1] @ until[block - 1, -1])
            backward[-block - 1] = _scaled(until[-block, -1] @ backward[-block])
        result = (forward[:, None] @ until)[:, :, 0] * (after @ backward[:, None])[..., 0]
        marginals: Floats = result.reshape(-1, size)[:number]
        return marginals


def as_chain(raw: Mapping[str, Any]) -> Chain:
    """Return what ``dataclasses.asdict`` made of a chain.

    Raises:
        TypeError: a weight is no number.
    """
    return Chain(
        as_number(raw["temperature"]),
        tuple(tuple(as_number(v) for v in row) for row in raw["transitions"]),
        tuple(as_number(v) for v in raw["bias"]),
    )


def as_number(value: object) -> float:
    """Return a number of a JSON file as a float.

    Raises:
        TypeError: it is something else: a text with digits, true, null.
        OverflowError: it is too large for a float.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a {type(value).__name__} where a number should stand")
    return float(value)


def _scaled(values: Floats) -> Floats:
    """Return matrices divided by their largest item."""
    result: Floats = values / values.max(axis=(-2, -1), keepdims=True)
    return result
