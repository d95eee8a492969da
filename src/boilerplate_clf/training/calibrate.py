"""Temperature and thresholds: from logits to probabilities and decisions that can be relied on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from boilerplate_clf.evaluation.metrics import (
    Gold,
    calibration_error,
    confusion,
    f1_scores,
    flagged_content,
)
from boilerplate_clf.inference.decide import decide, probabilities

Floats = npt.NDArray[np.float64]

_TEMPERATURES = np.geomspace(0.4, 4.0, 70)
_THRESHOLDS = np.round(np.arange(0.2, 0.96, 0.025), 3)


@dataclass(frozen=True)
class CalibrateConfig:
    """What the thresholds are chosen for."""

    max_content_flagged: float = 0.003
    """Most of the content (view ``text``) that may be labelled as an appeal."""
    folds: int = 5
    """Publisher-wise folds of the honest estimate."""
    seed: int = 0


def fit_temperature(logits: npt.NDArray[Any], gold: npt.NDArray[np.int64]) -> float:
    """Return the temperature with the least negative log likelihood (Guo et al. 2017)."""

    def loss(temperature: float) -> float:
        scores = probabilities(logits, temperature)
        return float(-np.log(scores[np.arange(len(gold)), gold] + 1e-12).mean())

    return float(min(_TEMPERATURES, key=loss))


def fit_thresholds(scores: Floats, gold: Gold, keep: int, limit: float) -> list[float]:
    """Return the threshold per label with the best macro-F1 (view ``text``) under the limit.

    One common threshold is chosen first, then each label's own is moved one step at most twice:
    a full search per label would fit the few rare examples instead of the model.
    """
    mask = gold.view("text")
    scores, index = scores[mask], gold.index[mask]
    size = scores.shape[1]

    def value(thresholds: list[float]) -> tuple[bool, float]:
        matrix = confusion(index, decide(scores, thresholds, keep), size)
        flagged = float(flagged_content(matrix, keep))
        within = flagged <= limit
        return within, float(f1_scores(matrix)[2].mean()) if within else -flagged

    best = max(([float(t)] * size for t in _THRESHOLDS), key=value)
    for _ in range(2):
        for label in range(size):
            if label != keep:
                options = [
                    [*best[:label], min(0.975, max(0.2, best[label] + move)), *best[label + 1 :]]
                    for move in (0.0, -0.05, 0.05)
                ]
                best = max(options, key=value)
    best[keep] = 0.0
    return [round(t, 3) for t in best]


def calibrate(
    logits: npt.NDArray[Any], gold: Gold, keep_label: str, config: CalibrateConfig
) -> dict[str, Any]:
    """Fit temperature and thresholds on all of ``gold``, and estimate what they are worth.

    The estimate is publisher-wise cross-validated: each fold's labels are decided with values that
    were fitted on the other folds' publishers, so it is not flattered by the fit.

    Args:
        logits: ``(paragraphs, labels)``, of the decidable paragraphs.
        gold: the same paragraphs' labels.
        keep_label: what a doubtful paragraph falls back to.
        config: limit and folds.
    """
    keep = gold.labels.index(keep_label)
    temperature = fit_temperature(logits, gold.index)
    scores = probabilities(logits, temperature)
    thresholds = fit_thresholds(scores, gold, keep, config.max_content_flagged)
    rng = np.random.default_rng(config.seed)
    fold_of = rng.integers(config.folds, size=int(gold.publisher.max()) + 1)[gold.publisher]
    honest = np.full(len(gold.index), keep, np.int64)
    honest_scores = np.zeros_like(scores)
    for fold in range(config.folds):
        out = fold_of == fold
        if not out.any() or out.all():
            continue
        rest = Gold(gold.labels, gold.index[~out], gold.publisher[~out], gold.long[~out], gold.decided)
        fold_temperature = fit_temperature(logits[~out], rest.index)
        fold_thresholds = fit_thresholds(
            probabilities(logits[~out], fold_temperature), rest, keep, config.max_content_flagged
        )
        honest_scores[out] = probabilities(logits[out], fold_temperature)
        honest[out] = decide(honest_scores[out], fold_thresholds, keep)
    mask = gold.view("text")
    matrix = confusion(gold.index[mask], honest[mask], len(gold.labels))
    return {
        "temperature": temperature,
        "thresholds": dict(zip(gold.labels, thresholds, strict=True)),
        "cross_validated": {
            "view": "text",
            "macro_f1": float(f1_scores(matrix)[2].mean()),
            "content_flagged": float(flagged_content(matrix, keep)),
            "ece": calibration_error(honest_scores[mask], gold.index[mask])[0],
        },
    }
