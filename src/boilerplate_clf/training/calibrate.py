"""Chain and thresholds: from logits to probabilities and decisions that can be relied on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from boilerplate_clf.evaluation.metrics import (
    VIEWS,
    Gold,
    appeal_recall,
    calibration_error,
    confusion,
    describe,
    f1_scores,
    flagged_content,
)
from boilerplate_clf.inference.cascade import Cascade
from boilerplate_clf.inference.chain import Chain
from boilerplate_clf.inference.decide import Decider, Mode, decide
from boilerplate_clf.training.data import LabelledDocument

Floats = npt.NDArray[np.float64]

_TEMPERATURES = tuple(float(t) for t in np.round(np.geomspace(0.7, 4.5, 14), 3))
_STRENGTHS = tuple(float(v) for v in np.round(np.arange(0.0, 1.05, 0.1), 2))
_KEEP_BIASES = tuple(float(v) for v in np.arange(-0.5, 2.25, 0.25))
_THRESHOLDS = np.round(np.concatenate([np.arange(0.2, 0.96, 0.025), [0.965, 0.975, 0.985, 0.99, 0.995]]), 3)
_AS_GOOD = 0.005
"""Macro-F1 that dev cannot tell apart: a fraction of what one draw of the folds or another brings."""
_LEAST_CHOSEN = 10
"""Paragraphs below which a measured precision says nothing."""


@dataclass(frozen=True)
class CalibrateConfig:
    """What the thresholds are chosen for."""

    balanced: float = 0.003
    """Most of the content (view ``text``) that may be labelled as an appeal in mode ``balanced``."""
    careful: float = 0.001
    """The same in mode ``careful``."""
    folds: int = 5
    """Publisher-wise folds of the honest estimate."""
    seed: int = 0


@dataclass(frozen=True)
class CascadeConfig:
    """Which paragraphs the encoder is asked about; see :mod:`boilerplate_clf.inference.cascade`."""

    least_doubt: float = 0.03
    context: int = 2
    context_head: int = 16
    context_tail: int = 4
    ngram_weight: float = 1.5
    wide_labels: tuple[str, ...] = ()
    """Around these the encoder reads ``wide_context`` paragraphs on either side, in full, where the
    n-gram model gives them more than ``wide_doubt``."""
    wide_doubt: float = 1.0
    wide_context: int = 0

    def cascade(self, chain: Chain, labels: Sequence[str]) -> Cascade:
        """Return the cascade of a model with these labels.

        Args:
            chain: fitted to the n-gram model by itself.
            labels: names of the model's outputs.
        """
        values = asdict(self)
        columns = tuple(labels.index(name) for name in values.pop("wide_labels"))
        return Cascade(chain, wide_columns=columns, **values)


def affinities(documents: Sequence[LabelledDocument], labels: Sequence[str]) -> Floats:
    """Return the pointwise mutual information ``(labels, labels)`` of a label and the next one.

    Counted over neighbouring decided paragraphs. One count is added to what was seen and to what chance would
    give, so that labels which are never seen beside others get 0: nothing is known of them.
    """
    number = {name: i for i, name in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)))
    for document in documents:
        for one, other in pairwise(document.labels):
            if one in number and other in number:
                counts[number[one], number[other]] += 1
    chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / max(1.0, counts.sum())
    result: Floats = np.log((counts + 1) / (chance + 1))
    return result


class ChainFit:
    """Fits the chain's temperature, strength and bias to labelled documents.

    Args:
        logits: ``(paragraphs, labels)`` of all documents, one after another.
        lengths: paragraphs of each document.
        gold: labels of the decided paragraphs.
        affinity: of :func:`affinities`.
        keep: index of the label whose bias is fitted.
    """

    def __init__(
        self, logits: npt.NDArray[Any], lengths: Sequence[int], gold: Gold, affinity: Floats, keep: int
    ) -> None:
        """Hold the documents; what was computed once is kept."""
        self._logits, self._lengths = logits, lengths
        self._gold, self._affinity, self._keep = gold, affinity, keep
        self._losses: dict[tuple[float, float, float], Floats] = {}

    def chain(self, temperature: float, strength: float, bias: float) -> Chain:
        """Return the chain with these weights."""
        weights = [0.0] * len(self._affinity)
        weights[self._keep] = bias
        links = np.round(strength * self._affinity, 4)
        # Without any the paragraphs are independent, which is computed in no time.
        transitions = tuple(tuple(float(v) for v in row) for row in links) if links.any() else ()
        return Chain(temperature, transitions, tuple(weights))

    def scores(self, chain: Chain) -> Floats:
        """Return the decided paragraphs' probabilities ``(paragraphs, labels)``."""
        scores: Floats = chain.flat_marginals(self._logits, self._lengths)[self._gold.decided]
        return scores

    def fit(self, among: npt.NDArray[np.bool_] | None = None) -> Chain:
        """Return the chain with the least negative log likelihood.

        Args:
            among: mask over the decided paragraphs whose likelihood counts; None: all.
        """

        def loss(weights: tuple[float, float, float]) -> float:
            return float(self._loss(weights)[among].mean())

        found = []
        for strength in _STRENGTHS if self._affinity.any() else (0.0,):
            temperature, bias = 1.5, 0.0
            for _ in range(2):
                temperature = min(_TEMPERATURES, key=lambda t: loss((t, strength, bias)))
                bias = min(_KEEP_BIASES, key=lambda b: loss((temperature, strength, b)))
            found.append((temperature, strength, bias))
        return self.chain(*min(found, key=loss))

    def _loss(self, weights: tuple[float, float, float]) -> Floats:
        if weights not in self._losses:
            scores = self.scores(self.chain(*weights))
            self._losses[weights] = -np.log(scores[np.arange(len(scores)), self._gold.index] + 1e-12)
        return self._losses[weights]


def strictest(
    flagged: Mapping[float, float],
    worth: Callable[[float], float],
    limit: float,
    tolerance: Callable[[float], float],
) -> float:
    """Return the highest of the thresholds that are as good as the best one under a limit.

    Args:
        flagged: what each threshold flags of content.
        worth: what a threshold is worth; asked for those within the limit.
        limit: of what may be flagged; where none is within it, the highest of those that flag least is taken.
        tolerance: how much less than the best worth, which it is given, counts as equally good.
    """
    within = {threshold: worth(threshold) for threshold, share in flagged.items() if share <= limit}
    if not within:
        fewest = min(flagged.values())
        return max(threshold for threshold, share in flagged.items() if share == fewest)
    best = max(within.values())
    least = best - tolerance(best)
    return max(threshold for threshold, value in within.items() if value >= least)


def fit_thresholds(scores: Floats, gold: Gold, keep: int, limit: float) -> list[float]:
    """Return the threshold that flags least content among those with the best macro-F1 under the limit.

    View ``text``. Thresholds within half a point of the best macro-F1 count as equally good, since losing
    content is worse than keeping an appeal. All labels get the same one: a threshold for each would fit the
    few paragraphs of the rarest label (``training/README.md`` has what that costs on other publishers).

    Returns:
        The threshold of each label, 0 for ``keep``.
    """
    mask = gold.view("text")
    scores, index = scores[mask], gold.index[mask]
    size = scores.shape[1]
    matrices = {}
    for threshold in _THRESHOLDS:
        least = np.full(size, threshold)
        least[keep] = 0.0
        matrices[float(threshold)] = confusion(index, decide(scores, least.tolist(), keep), size)
    chosen = strictest(
        {threshold: float(flagged_content(matrix, keep)) for threshold, matrix in matrices.items()},
        lambda threshold: float(f1_scores(matrices[threshold])[2].mean()),
        limit,
        lambda _: _AS_GOOD,
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


def calibrate(
    logits: npt.NDArray[Any],
    lengths: Sequence[int],
    gold: Gold,
    affinity: Floats,
    keep_label: str,
    config: CalibrateConfig,
) -> dict[str, Any]:
    """Fit chain and thresholds on all of ``gold``, and estimate what they are worth.

    The estimate is publisher-wise cross-validated: each fold's labels are decided with values that
    were fitted on the other folds' publishers, so it is not flattered by the fit.

    Args:
        logits: ``(paragraphs, labels)``, of all paragraphs, one document after another.
        lengths: paragraphs of each document.
        gold: labels of the decided ones.
        affinity: how labels follow one another, of :func:`affinities` on the training data.
        keep_label: what a doubtful paragraph falls back to.
        config: limits and folds.
    """
    keep = gold.labels.index(keep_label)
    limits = {Mode.CAREFUL: config.careful, Mode.BALANCED: config.balanced}
    fit = ChainFit(logits, lengths, gold, affinity, keep)
    chain = fit.fit()
    scores = fit.scores(chain)
    thresholds = {mode: fit_thresholds(scores, gold, keep, limit) for mode, limit in limits.items()}
    curves = {
        name: precision_curve(scores, gold, label, keep)
        for label, name in enumerate(gold.labels)
        if label != keep
    }
    rng = np.random.default_rng(config.seed)
    fold_of = rng.integers(config.folds, size=int(gold.publisher.max()) + 1)[gold.publisher]
    honest = {mode: np.full(len(gold.index), keep, np.int64) for mode in Mode}
    honest_scores = np.zeros_like(scores)
    for fold in range(config.folds):
        out = fold_of == fold
        if not out.any() or out.all():
            continue
        rest = Gold(gold.labels, gold.index[~out], gold.publisher[~out], gold.long[~out], gold.decided)
        fold_scores = fit.scores(fit.fit(among=~out))
        honest_scores[out] = fold_scores[out]
        honest[Mode.BEST_GUESS][out] = decide(fold_scores[out], None, keep)
        for mode, limit in limits.items():
            fold_thresholds = fit_thresholds(fold_scores[~out], rest, keep, limit)
            honest[mode][out] = decide(fold_scores[out], fold_thresholds, keep)
    mask = gold.view("text")
    return {
        "chain": asdict(chain),
        "thresholds": {
            mode.value: dict(zip(gold.labels, values, strict=True)) for mode, values in thresholds.items()
        },
        "precision": curves,
        "cross_validated": {
            "view": "text",
            "ece": calibration_error(honest_scores[mask], gold.index[mask])[0],
            "modes": {
                mode.value: _worth(gold.index[mask], found[mask], len(gold.labels), keep)
                for mode, found in honest.items()
            },
        },
    }


def calibrate_and_measure(
    kinds: Mapping[str, Sequence[npt.NDArray[Any]]],
    lengths: Sequence[int],
    gold: Gold,
    affinity: Floats,
    keep_label: str,
    config: CalibrateConfig,
) -> dict[str, Any]:
    """Fit to the first of several models, and measure all of them with that, as ``dev``.

    Args:
        kinds: name of each model -> ``(paragraphs, labels)`` logits of each document.
        lengths: as of :func:`calibrate`, like all that follow.
        gold: labels.
        affinity: of the training data.
        keep_label: what a doubtful paragraph falls back to.
        config: limits and folds.
    """
    flat = {kind: np.concatenate(parts) for kind, parts in kinds.items()}
    result = calibrate(next(iter(flat.values())), lengths, gold, affinity, keep_label, config)
    chain = Chain(**result["chain"])
    decider = Decider(gold.labels, gold.labels.index(keep_label), result["thresholds"])
    result["dev"] = {
        kind: describe_modes(gold, chain.flat_marginals(part, lengths)[gold.decided], decider)
        for kind, part in flat.items()
    }
    return result


def describe_modes(gold: Gold, scores: Floats, decider: Decider) -> dict[str, dict[str, Any]]:
    """Return mode -> view -> figures.

    Args:
        gold: labels of the decided paragraphs.
        scores: their probabilities ``(paragraphs, labels)``.
        decider: the thresholds.
    """
    keep = decider.labels[decider.keep]
    found = {mode: decide(scores, decider.rule(mode), decider.keep) for mode in Mode}
    return {
        mode.value: {view: describe(gold, labels, view, keep, scores) for view in VIEWS}
        for mode, labels in found.items()
    }


def _worth(
    index: npt.NDArray[np.int64], found: npt.NDArray[np.int64], labels: int, keep: int
) -> dict[str, float]:
    matrix = confusion(index, found, labels)
    return {
        "macro_f1": float(f1_scores(matrix)[2].mean()),
        "content_flagged": float(flagged_content(matrix, keep)),
        "appeal_recall": appeal_recall(matrix, keep),
    }
