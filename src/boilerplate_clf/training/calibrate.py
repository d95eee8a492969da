"""Chain and thresholds: from logits to probabilities and decisions that can be relied on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from boilerplate_clf.training.thresholds import fit_thresholds, precision_curve

Floats = npt.NDArray[np.float64]

_TEMPERATURES = tuple(float(t) for t in np.round(np.geomspace(0.7, 4.5, 14), 3))
_STRENGTHS = tuple(float(v) for v in np.round(np.arange(0.0, 1.05, 0.1), 2))
_KEEP_BIASES = tuple(float(v) for v in np.arange(-0.5, 2.25, 0.25))


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

    def scores(self, chain: Chain, logits: npt.NDArray[Any] | None = None) -> Floats:
        """Return the decided paragraphs' probabilities ``(paragraphs, labels)``.

        Args:
            chain: of :meth:`chain`.
            logits: of another model for the same documents; None: those that are fitted to.
        """
        judged = self._logits if logits is None else logits
        scores: Floats = chain.flat_marginals(judged, self._lengths)[self._gold.decided]
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


def calibrate(
    kinds: Sequence[npt.NDArray[Any]],
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
        kinds: logits ``(paragraphs, labels)`` of all paragraphs, one document after another: of what is
            shipped, to which everything is fitted, then of what it was rounded from, if any, for which
            the thresholds must be as good.
        lengths: paragraphs of each document.
        gold: labels of the decided ones.
        affinity: how labels follow one another, of :func:`affinities` on the training data.
        keep_label: what a doubtful paragraph falls back to.
        config: limits and folds.
    """
    keep = gold.labels.index(keep_label)
    limits = {Mode.CAREFUL: config.careful, Mode.BALANCED: config.balanced}
    fit = ChainFit(kinds[0], lengths, gold, affinity, keep)
    chain = fit.fit()
    judged = [fit.scores(chain, logits) for logits in kinds]
    scores = judged[0]
    thresholds = {mode: fit_thresholds(judged, gold, keep, limit) for mode, limit in limits.items()}
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
        fold_chain = fit.fit(among=~out)
        fold_scores = [fit.scores(fold_chain, logits) for logits in kinds]
        honest_scores[out] = fold_scores[0][out]
        honest[Mode.BEST_GUESS][out] = decide(honest_scores[out], None, keep)
        for mode, limit in limits.items():
            fold_thresholds = fit_thresholds([part[~out] for part in fold_scores], rest, keep, limit)
            honest[mode][out] = decide(honest_scores[out], fold_thresholds, keep)
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
    others: Mapping[str, Sequence[npt.NDArray[Any]]] | None = None,
) -> dict[str, Any]:
    """Calibrate, and measure what is shipped and what it was rounded from with the result, as ``dev``.

    Args:
        kinds: name of each model -> ``(paragraphs, labels)`` logits of each document; in the order of
            :func:`calibrate`.
        lengths: as of :func:`calibrate`, like all that follow.
        gold: labels.
        affinity: of the training data.
        keep_label: what a doubtful paragraph falls back to.
        config: limits and folds.
        others: more models, which are measured only.
    """
    flat = {kind: np.concatenate(parts) for kind, parts in kinds.items()}
    result = calibrate(list(flat.values()), lengths, gold, affinity, keep_label, config)
    flat |= {kind: np.concatenate(parts) for kind, parts in (others or {}).items()}
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
