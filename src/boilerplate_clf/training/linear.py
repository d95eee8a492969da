"""Fitting the wide half of the model (see :mod:`boilerplate_clf.inference.ngrams`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from boilerplate_clf.extras import require
from boilerplate_clf.inference.ngrams import AFTER, BEFORE, Features, Lookup, NgramScorer, features, weigh
from boilerplate_clf.labels import UNDECIDED
from boilerplate_clf.training.data import LabelledDocument


@dataclass(frozen=True)
class LinearConfig:
    """The wide half."""

    ngrams: int = 250_000
    """Most n-grams that are kept; each takes 4 bytes, and 2 per label and for its idf."""
    least_paragraphs: int = 2
    """In how many training paragraphs an n-gram must occur."""
    inverse_regularization: float = 10.0
    """scikit-learn's ``C``."""
    class_weight_power: float = 0.0
    """Labels count by their frequency to minus this power: 0, all paragraphs alike; 1, all labels alike."""
    scattered_per_block: float = 0.0
    """Articles with single paragraphs of blocks set into them that are added, per authored block."""
    max_iter: int = 200
    weight: float = 1.0
    """Of its log probabilities when they are added to the encoder's logits; 0 leaves it out."""


Keys = npt.NDArray[np.uint32]


def fit_linear(
    documents: Sequence[LabelledDocument], labels: Sequence[str], config: LinearConfig
) -> NgramScorer:
    """Fit logistic regression on the n-grams of all decided paragraphs.

    Fitted on all n-grams first, then on those that carried most of the weight.

    Returns:
        The model; a label that does not occur gets no weights and a bias of -20.
    """
    found = [features(document.model_texts()) for document in documents]
    keys, seen = np.unique(np.concatenate([part.key.astype(np.uint32) for part in found]), return_counts=True)
    frequent = seen >= config.least_paragraphs
    keys, seen = keys[frequent], seen[frequent]
    number = sum(map(len, documents))
    idf = (np.log((1 + number) / (1 + seen)) + 1.0).astype(np.float16)  # scikit-learn's smooth idf
    targets = np.asarray(
        [labels.index(n) if n != UNDECIDED else -1 for d in documents for n in d.labels], np.int64
    )
    lengths = [len(document) for document in documents]
    if len(keys) > config.ngrams:
        weights, _ = _fit(found, lengths, keys, idf, targets, len(labels), config)
        strength = np.abs(weights).max(axis=1) * idf * np.sqrt(seen)
        kept = np.sort(np.argsort(strength)[-config.ngrams :])
        keys, idf = keys[kept], idf[kept]
    weights, bias = _fit(found, lengths, keys, idf, targets, len(labels), config)
    table = _rounded(np.column_stack([weights, idf]).astype(np.float16))
    return NgramScorer(keys, table, bias.astype(np.float32))


def _rounded(table: npt.NDArray[np.float16], bits: int = 5) -> npt.NDArray[np.float16]:
    """Keep ``bits`` of the ten of the mantissa: at most 1.6 % of a weight, a third of the compressed size."""
    step = np.uint16(1 << (10 - bits))
    words = table.view(np.uint16)
    result: npt.NDArray[np.float16] = ((words + step // 2) // step * step).view(np.float16)
    return result


def _fit(
    found: Sequence[Features],
    lengths: Sequence[int],
    keys: Keys,
    idf: npt.NDArray[np.float16],
    targets: npt.NDArray[np.int64],
    labels: int,
    config: LinearConfig,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    sparse = require("train", "scipy.sparse")
    linear = require("train", "sklearn.linear_model")
    rows, columns, values, offset = [], [], [], 0
    lookup = Lookup(keys)
    for part, length in zip(found, lengths, strict=True):
        place = lookup.find(part.key)
        known = part.only(place >= 0)
        place = place[place >= 0]
        row = known.paragraph + (known.view == BEFORE) - (known.view == AFTER)
        inside = (row >= 0) & (row < length)
        rows.append(row[inside] + offset)
        columns.append(place[inside])
        values.append(weigh(known, idf[place])[inside].astype(np.float32))
        offset += length
    matrix: Any = sparse.csr_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(offset, len(keys))
    )
    decided = np.flatnonzero(targets >= 0)
    counts = np.bincount(targets[decided], minlength=labels)
    weight = {i: (len(decided) / n) ** config.class_weight_power for i, n in enumerate(counts) if n}
    model = linear.LogisticRegression(
        C=config.inverse_regularization, max_iter=config.max_iter, class_weight=weight
    )
    model.fit(matrix[decided], targets[decided])
    return per_label(model, labels)


def per_label(model: Any, labels: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return weights ``(features, labels)`` and bias of scikit-learn's fitted logistic regression.

    A label that did not occur gets no weights and a bias of -20.
    """
    coefficients, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn then gives the difference of the two only
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercept = np.concatenate([-intercept, intercept]) / 2
    weights, bias = np.zeros((coefficients.shape[1], labels)), np.full(labels, -20.0)
    weights[:, model.classes_] = coefficients.T
    bias[model.classes_] = intercept
    return weights, bias


def linear_scores(
    scorer: NgramScorer, documents: Sequence[LabelledDocument]
) -> list[npt.NDArray[np.float32]]:
    """Return each document's ``(paragraphs, labels)`` log probabilities."""
    return [scorer.log_probabilities(document.model_texts()) for document in documents]
