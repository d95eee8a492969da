"""Thresholds: how likely a label must be before a paragraph gets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from boilerplate_clf.evaluation.metrics import Gold, confusion, f1_scores, flagged_content
from boilerplate_clf.inference.decide import decide

Floats = npt.NDArray[np.float64]

_THRESHOLDS = np.round(np.concatenate([np.arange(0.2, 0.96, 0.025), [0.965, 0.975, 0.985, 0.99, 0.995]]), 3)
_AS_GOOD = 0.005
"""Macro-F1 that dev cannot tell apart: a fraction of what one draw of the folds or another brings."""
_ROUNDING = 0.005
"""F1 of a label that rounding the weights may cost or bring."""
_LEAST_CHOSEN = 10
"""Paragraphs below which a measured precision says nothing."""


def strictest(
    flagged: Mapping[float, float],
    worth: Callable[[float], float],
    limit: float,
    tolerance: Callable[[float], float],
    firm: Callable[[float], bool] = lambda _: True,
) -> float:
    """Return the highest of the thresholds that are as good as the best one under a limit.

    Args:
        flagged: what each threshold flags of content.
        worth: what a threshold is worth; asked for those within the limit.
        limit: of what may be flagged; where none is within it, the highest of those that flag least is taken.
        tolerance: how much less than the best worth, which it is given, counts as equally good.
        firm: which of the equally good ones are preferred; where none is, all of them are candidates.
    """
    within = {threshold: worth(threshold) for threshold, share in flagged.items() if share <= limit}
    if not within:
        fewest = min(flagged.values())
        return max(threshold for threshold, share in flagged.items() if share == fewest)
    best = max(within.values())
    least = best - tolerance(best)
    good = [threshold for threshold, value in within.items() if value >= least]
    return max(filter(firm, good), default=max(good))


def fit_thresholds(kinds: Sequence[Floats], gold: Gold, keep: int, limit: float) -> list[float]:
    """Return the threshold that flags least content among those with the best macro-F1 under the limit.

    View ``text``. Thresholds within half a point of the best macro-F1 count as equally good, since losing
    content is worse than keeping an appeal. All labels get the same one: a threshold for each would fit the
    few paragraphs of the rarest label (``training/README.md`` has what that costs on other publishers).

    The strictest of equally good ones stands at a cliff, and what lies beside it may fall on either side by
    rounding. So of several roundings of a model the worst counts, and thresholds are preferred at which no
    label's F1 differs between them by more than half a point.

    Args:
        kinds: probabilities ``(paragraphs, labels)`` by each rounding of the model.
        gold: labels.
        keep: index of the label that a doubtful paragraph falls back to.
        limit: of the share of content that may be flagged.

    Returns:
        The threshold of each label, 0 for ``keep``.
    """
    mask = gold.view("text")
    index, size = gold.index[mask], kinds[0].shape[1]
    judged = [kind[mask] for kind in kinds]
    flagged: dict[float, float] = {}
    scores: dict[float, Floats] = {}
    for threshold in map(float, _THRESHOLDS):
        least = [0.0 if label == keep else threshold for label in range(size)]
        matrices = [confusion(index, decide(kind, least, keep), size) for kind in judged]
        flagged[threshold] = max(float(flagged_content(matrix, keep)) for matrix in matrices)
        scores[threshold] = np.stack([f1_scores(matrix)[2] for matrix in matrices])
    chosen = strictest(
        flagged,
        lambda threshold: float(scores[threshold].mean(axis=1).min()),
        limit,
        lambda _: _AS_GOOD,
        lambda threshold: bool(np.ptp(scores[threshold], axis=0).max() <= _ROUNDING),
    )
    return [0.0 if label == keep else round(chosen, 3) for label in range(size)]


def precision_curve(scores: Floats, gold: Gold, label: int, keep: int) -> list[tuple[float, float]]:
    """Return (threshold, precision from there on) of a label in view ``text``, ascending in both.

    A paragraph counts where the label is the likeliest but for ``keep``; a threshold is listed where
    it is more precise than all lower ones, and as long as enough paragraphs reach it.
    """
    mask = gold.view("text")
    scores, index = scores[mask], gold.index[mask]
    others = scores.copy()
    others[:, keep] = -1.0
    first = others.argmax(axis=1) == label
    curve: list[tuple[float, float]] = []
    for threshold in _THRESHOLDS:
        chosen = first & (scores[:, label] >= threshold)
        if chosen.sum() < _LEAST_CHOSEN:
            break
        precision = float((index[chosen] == label).mean())
        if not curve or precision > curve[-1][1]:
            curve.append((float(threshold), round(precision, 4)))
    return curve
