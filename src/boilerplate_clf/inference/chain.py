"""From logits to probabilities, over a whole document: a linear chain over its paragraphs.

Appeals come in runs: a plea has a salutation, paragraphs that name no money, and a sign-off. Encoder and
n-grams judge each paragraph; the chain adds how labels follow one another (a linear-chain conditional
random field, Lafferty et al. 2001, whose transitions are counted and whose three weights are fitted in
calibration) and gives each paragraph's marginal probabilities by the forward-backward algorithm (Rabiner
1989).
"""

from __future__ import annotations

from collections.abc import Sequence
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
            logits: ``(paragraphs, labels)`` of each document; they are worked on side by side, padded
                to the longest, so pass documents of like length or one at a time.
        """
        if not logits or not (longest := max(map(len, logits))):
            return [np.zeros(part.shape) for part in logits]
        scores = np.zeros((len(logits), longest, logits[0].shape[1]))
        inside = np.zeros((len(logits), longest, 1), bool)
        for row, part in enumerate(logits):
            scores[row, : len(part)] = part / self.temperature + (np.asarray(self.bias) if self.bias else 0.0)
            inside[row, : len(part)] = True
        emission = np.exp(scores - scores.max(axis=2, keepdims=True))
        result = self._forward_backward(emission, inside) if self.transitions else emission
        result /= result.sum(axis=2, keepdims=True)
        return [result[row, : len(part)] for row, part in enumerate(logits)]

    def flat_marginals(self, logits: npt.NDArray[Any], lengths: Sequence[int]) -> Floats:
        """Return the probabilities of several documents' paragraphs, one document after another.

        Args:
            logits: ``(paragraphs, labels)`` of all documents.
            lengths: paragraphs of each document.
        """
        return np.concatenate(self.marginals(np.split(logits, np.cumsum(lengths)[:-1])))

    def _forward_backward(self, emission: Floats, inside: npt.NDArray[np.bool_]) -> Floats:
        """Return unnormalised marginals; every step is scaled, so nothing can underflow."""
        step = np.exp(np.asarray(self.transitions))
        forward, backward = np.empty_like(emission), np.ones_like(emission)
        forward[:, 0] = emission[:, 0]
        for place in range(1, emission.shape[1]):
            value = (forward[:, place - 1] @ step) * emission[:, place]
            forward[:, place] = value / value.sum(axis=1, keepdims=True)
        for place in range(emission.shape[1] - 2, -1, -1):
            value = (emission[:, place + 1] * backward[:, place + 1]) @ step.T
            value /= value.sum(axis=1, keepdims=True)
            # Padding behind a document's last paragraph tells nothing about it.
            backward[:, place] = np.where(inside[:, place + 1], value, 1.0)
        return forward * backward
