"""Chain and thresholds of added labels: one threshold a mode, since a few dozen examples fix no more.

What they are worth is counted on the rows alone, what they cost on the pages alone. Taken together, the
pages' thousands of paragraphs would decide which of the rows' labels are worth finding; and the rows, whose
paragraphs to be kept were picked because they are hard, would use up what may be flagged of articles.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from boilerplate_clf.evaluation.metrics import Gold, confusion, f1_scores
from boilerplate_clf.inference.decide import TUNED_MODES, Mode, decide
from boilerplate_clf.training.calibrate import CalibrateConfig, ChainFit
from boilerplate_clf.training.thresholds import precision_curve, strictest

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_THRESHOLDS = np.round(np.concatenate([np.arange(0.05, 0.96, 0.025), [0.965, 0.975, 0.985, 0.99, 0.995]]), 3)
_KEEP = 0


def calibrate_added(
    logits: npt.NDArray[Any], gold: Gold, rows: Mask, articles: Mask, config: CalibrateConfig
) -> dict[str, Any]:
    """Fit chain and thresholds, and estimate what they are worth.

    Each fold of the estimate is decided with values that were fitted on the other folds' documents.

    Args:
        logits: ``(paragraphs, labels)``, not fitted on them; the label that is kept first.
        gold: labels of the decided paragraphs.
        rows: which of them count for macro-F1.
        articles: which of them count for the share that is flagged.
        config: limits and folds.
    """
    size = len(gold.labels)
    nothing = np.zeros((size, size))  # rows of a table hardly tell which labels follow which
    fit = ChainFit(logits, [1] * len(logits), gold, nothing, _KEEP)
    chain = fit.fit()
    scores = fit.scores(chain)
    limits = {Mode.CAREFUL: config.careful, Mode.BALANCED: config.balanced}
    common = {
        mode: common_threshold(scores, gold.index, rows, articles, limits[mode]) for mode in TUNED_MODES
    }
    rng = np.random.default_rng(config.seed)
    fold_of = rng.integers(config.folds, size=int(gold.publisher.max()) + 1)[gold.publisher]
    honest = {mode: np.full(len(gold.index), _KEEP, np.int64) for mode in Mode}
    for fold in range(config.folds):
        out = fold_of == fold
        if not (rows & ~out).any():
            continue
        judged = fit.scores(fit.fit(among=~out))
        honest[Mode.BEST_GUESS][out] = decide(judged[out], None, _KEEP)
        for mode in TUNED_MODES:
            least = common_threshold(judged, gold.index, rows & ~out, articles & ~out, limits[mode])
            honest[mode][out] = decide(judged[out], [least] * size, _KEEP)
    return {
        "chain": asdict(chain),
        "thresholds": {
            mode.value: dict(zip(gold.labels, [0.0] + [least] * (size - 1), strict=True))
            for mode, least in common.items()
        },
        "precision": {
            name: precision_curve(scores, gold, label, _KEEP)
            for label, name in enumerate(gold.labels)
            if label != _KEEP
        },
        "cross_validated": {
            mode.value: {
                "rows_macro_f1": float(f1_scores(confusion(gold.index[rows], found[rows], size))[2].mean()),
                "articles_flagged": float((found[articles] != _KEEP).mean()) if articles.any() else 0.0,
            }
            for mode, found in honest.items()
        },
    }


def common_threshold(
    scores: Floats, index: npt.NDArray[np.int64], rows: Mask, articles: Mask, limit: float
) -> float:
    """Return the strictest of the thresholds that are best on rows under the limit on articles.

    Best: no more than a standard error below the highest macro-F1 (the rule of Breiman et al. 1984), since
    a few dozen rows do not tell such thresholds apart, and losing article text is worse than missing a label.

    Args:
        scores: ``(paragraphs, labels)`` probabilities; the label that is kept first.
        index: label index of each paragraph.
        rows: which of them count for macro-F1.
        articles: which of them are to be kept, but for a share of ``limit``.
        limit: where no threshold is within it, the highest of those that flag least is taken.
    """
    size = scores.shape[1]
    likeliest = np.delete(scores, _KEEP, axis=1).max(axis=1)[articles]
    flagged = {
        float(least): float((likeliest >= least).mean()) if len(likeliest) else 0.0 for least in _THRESHOLDS
    }

    def worth(least: float) -> float:
        found = decide(scores[rows], [least] * size, _KEEP)
        return float(f1_scores(confusion(index[rows], found, size))[2].mean())

    def standard_error(best: float) -> float:
        return float(np.sqrt(best * (1 - best) / max(1, rows.sum())))

    return strictest(flagged, worth, limit, standard_error)
