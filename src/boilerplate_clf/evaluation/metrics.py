"""Figures that describe predictions against gold labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from boilerplate_clf.errors import DataError
from boilerplate_clf.labels import UNDECIDED
from boilerplate_clf.training.data import LabelledDocument

VIEWS = ("text", "all")
"""``text``: paragraphs of at least :data:`TEXT_WORDS` words, the headline; ``all``: every one."""

TEXT_WORDS = 4
COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 1.0)
_BINS = 15
_RESAMPLES = 1000

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Gold:
    """All decidable paragraphs of a data set, one after another."""

    labels: tuple[str, ...]
    """Names, in the order that indices refer to."""
    index: Ints
    """Label index of each paragraph."""
    publisher: npt.NDArray[np.int64]
    """Number of each paragraph's publisher."""
    long: npt.NDArray[np.bool_]
    """Whether it has at least :data:`TEXT_WORDS` words."""
    decided: npt.NDArray[np.bool_]
    """Over *all* paragraphs of the documents: which of them are in the other arrays."""

    def view(self, name: str) -> npt.NDArray[np.bool_]:
        """Return the mask of a view over the decidable paragraphs."""
        return self.long if name == "text" else np.ones_like(self.long)


def gold_of(documents: Sequence[LabelledDocument], labels: Sequence[str]) -> Gold:
    """Flatten documents; paragraphs labelled "?" are left out."""
    number = {name: i for i, name in enumerate(labels)}
    publishers = {name: i for i, name in enumerate(sorted({d.publisher for d in documents}))}
    rows = [
        (number[label], publishers[d.publisher], len(text.split()) >= TEXT_WORDS)
        for d in documents
        for text, label in zip(d.texts, d.labels, strict=True)
        if label != UNDECIDED
    ]
    index, publisher, long = zip(*rows, strict=True) if rows else ((), (), ())
    return Gold(
        tuple(labels),
        np.asarray(index, np.int64),
        np.asarray(publisher, np.int64),
        np.asarray(long, bool),
        np.asarray([label != UNDECIDED for d in documents for label in d.labels], bool),
    )


def confusion(gold: Ints, predicted: Ints, labels: int) -> Ints:
    """Return counts ``(labels, labels)``: rows are gold, columns predictions."""
    counts = np.bincount(gold * labels + predicted, minlength=labels * labels)
    result: Ints = counts.reshape(labels, labels)
    return result


def f1_scores(matrix: npt.NDArray[Any]) -> tuple[Floats, Floats, Floats]:
    """Return precision, recall and F1 per label of confusion matrices ``(..., L, L)``; 0/0 is 0."""
    hits = np.diagonal(matrix, axis1=-2, axis2=-1).astype(np.float64)
    found, true = matrix.sum(axis=-2), matrix.sum(axis=-1)
    precision = np.divide(hits, found, out=np.zeros_like(hits), where=found > 0)
    recall = np.divide(hits, true, out=np.zeros_like(hits), where=true > 0)
    both = (found + true).astype(np.float64)
    f1 = np.divide(2 * hits, both, out=np.zeros_like(hits), where=both > 0)
    return precision, recall, f1


def macro_f1(gold: Ints, predicted: Ints, labels: int) -> float:
    """Return the mean F1 over all labels."""
    return float(f1_scores(confusion(gold, predicted, labels))[2].mean())


def flagged_content(matrix: npt.NDArray[Any], keep: int) -> Floats:
    """Return the share of gold content that is labelled as something else."""
    row = matrix[..., keep, :]
    total = row.sum(axis=-1).astype(np.float64)
    wrong = total - row[..., keep]
    result: Floats = np.divide(wrong, total, out=np.zeros_like(total), where=total > 0)
    return result


def appeal_recall(matrix: npt.NDArray[Any], keep: int) -> float:
    """Return the share of gold appeals that are not labelled as content, whichever appeal it is."""
    rest = np.delete(matrix, keep, axis=0)
    total = float(rest.sum())
    return float(total - rest[:, keep].sum()) / total if total else 0.0


def calibration_error(scores: Floats, gold: Ints) -> tuple[float, list[dict[str, float]]]:
    """Expected calibration error of the likeliest label (Naeini et al. 2015), 15 equal bins.

    Returns:
        The error (0 is best) and the non-empty bins (confidence, accuracy, share).
    """
    confidence, correct = scores.max(axis=1), scores.argmax(axis=1) == gold
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    error, bins = 0.0, []
    for number in range(_BINS):
        inside = place == number
        if inside.any():
            mean, accuracy, share = confidence[inside].mean(), correct[inside].mean(), inside.mean()
            error += share * abs(mean - accuracy)
            bins.append({"confidence": float(mean), "accuracy": float(accuracy), "share": float(share)})
    return float(error), bins


def risk_coverage(scores: Floats, gold: Ints) -> list[dict[str, float]]:
    """Error rate of the likeliest label among the surest paragraphs (El-Yaniv and Wiener 2010).

    Returns:
        For each of :data:`COVERAGES` the share of paragraphs (coverage), the least confidence among
        them, and the share of wrong labels (risk).
    """
    confidence, wrong = scores.max(axis=1), scores.argmax(axis=1) != gold
    order = np.argsort(-confidence, kind="stable")
    curve = []
    for coverage in COVERAGES:
        surest = order[: max(1, round(coverage * len(order)))]
        curve.append(
            {
                "coverage": coverage,
                "confidence": float(confidence[surest].min()),
                "risk": float(wrong[surest].mean()),
            }
        )
    return curve


def describe(
    gold: Gold, predicted: Ints, view: str, keep_label: str, scores: Floats | None = None, seed: int = 0
) -> dict[str, Any]:
    """Return all figures of one view as plain JSON types.

    Confidence intervals (95 %) come from a bootstrap over publishers: paragraphs of one publisher
    repeat each other and are no independent draws.

    Raises:
        DataError: no paragraph is in the view.
    """
    mask = gold.view(view)
    if not mask.any():
        which = f" of {TEXT_WORDS} or more words" if view == "text" else ""
        raise DataError(
            f"nothing to measure on: no paragraph{which} has a label: add some to what is measured on"
        )
    size, keep = len(gold.labels), gold.labels.index(keep_label)
    index, guess, publisher = gold.index[mask], predicted[mask], gold.publisher[mask]
    count = int(gold.publisher.max()) + 1
    flat = (publisher * size + index) * size + guess
    by_publisher = np.bincount(flat, minlength=count * size * size).reshape(count, size, size)
    by_publisher = by_publisher[by_publisher.sum(axis=(1, 2)) > 0]
    total = by_publisher.sum(axis=0)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(len(by_publisher), np.full(len(by_publisher), 1 / len(by_publisher)), _RESAMPLES)
    samples = np.einsum("rp,pij->rij", draws, by_publisher)
    precision, recall, f1 = f1_scores(total)
    sampled = f1_scores(samples)[2]
    # A label that the data have no example of (one that was added to a model) cannot be measured on them;
    # where it is given, it costs the recall of another.
    there = np.bincount(gold.index, minlength=size) > 0
    result: dict[str, Any] = {
        "paragraphs": int(mask.sum()),
        "macro_f1": float(f1[there].mean()),
        "macro_f1_interval": _interval(sampled[:, there].mean(axis=1)),
        "content_flagged": float(flagged_content(total, keep)),
        "content_flagged_interval": _interval(flagged_content(samples, keep)),
        "appeal_recall": appeal_recall(total, keep),
        "labels": {
            name: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "f1_interval": _interval(sampled[:, i]),
                "support": int(total[i].sum()),
            }
            for i, name in enumerate(gold.labels)
        },
        "confusion": total.tolist(),
    }
    if scores is not None:
        result["ece"], result["reliability"] = calibration_error(scores[mask], index)
        result["risk_coverage"] = risk_coverage(scores[mask], index)
    return result


def _interval(values: Floats) -> list[float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return [float(low), float(high)]
