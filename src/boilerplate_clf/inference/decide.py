"""From logits to calibrated probabilities to one label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def probabilities(logits: npt.NDArray[Any], temperature: float) -> Floats:
    """Softmax of ``logits / temperature`` over the last axis (Guo et al. 2017).

    Args:
        logits: ``(paragraphs, labels)``.
        temperature: above 1 makes the scores more doubtful.
    """
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=-1, keepdims=True)
    result: Floats = np.exp(scaled)
    result /= result.sum(axis=-1, keepdims=True)
    return result


def decide(scores: Floats, thresholds: Sequence[float], keep: int) -> npt.NDArray[np.int64]:
    """Choose the likeliest label among those that reach their threshold, else ``keep``.

    Args:
        scores: ``(paragraphs, labels)`` probabilities.
        thresholds: least probability per label; that of ``keep`` is not looked at.
        keep: index of the label that a doubtful paragraph falls back to.

    Returns:
        ``(paragraphs,)`` label indices.
    """
    least = np.asarray(thresholds, np.float64)
    allowed = scores >= least
    allowed[:, keep] = False
    # Where an appeal reaches its threshold it wins, although content may be likelier still: the
    # threshold, not the argmax, is what was tuned.
    masked = np.where(allowed, scores, -1.0)
    best = masked.argmax(axis=1)
    return np.where(allowed.any(axis=1), best, keep)
