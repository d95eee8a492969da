"""What a bundle is worth on a person's own rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from boilerplate_clf.evaluation.metrics import confusion, f1_scores, gold_of
from boilerplate_clf.inference.classifier import Classifier
from boilerplate_clf.inference.decide import Mode
from boilerplate_clf.inference.ngrams import NgramScorer
from boilerplate_clf.training.data import LabelledDocument
from boilerplate_clf.training.linear import linear_scores


def bundle_macro_f1(
    bundle: Path,
    documents: Sequence[LabelledDocument],
    labels: Sequence[str],
    same: Sequence[str] = (),
    mode: Mode = Mode.BEST_GUESS,
) -> float:
    """Return the macro-F1 of a bundle's labels, over all decided paragraphs.

    A label that the bundle gives and ``labels`` does not have is wrong wherever it stands.

    Args:
        bundle: its folder.
        documents: with labels out of ``labels``.
        labels: what is measured, the label of what is kept first.
        same: further labels of the bundle that count as the first of ``labels``.
        mode: how the bundle decides; without thresholds, which few examples cannot fix well, unless told.
    """
    classifier = Classifier(bundle, mode=mode)
    number = {name: index for index, name in enumerate(labels)} | dict.fromkeys(same, 0)
    found = [
        number.get(str(paragraph.label), len(labels))
        for document in classifier.predict_batch([d.texts for d in documents])
        for paragraph in document
    ]
    return _macro_f1(documents, labels, found)


def ngrams_macro_f1(path: Path, documents: Sequence[LabelledDocument], labels: Sequence[str]) -> float:
    """Return the macro-F1 of an n-gram model by itself.

    Args:
        path: of its file.
        documents: with labels out of ``labels``.
        labels: of the model, in its order.
    """
    scorer = NgramScorer.from_bytes(path.read_bytes(), len(labels))
    found = [int(i) for scores in linear_scores(scorer, documents) for i in scores.argmax(axis=1)]
    return _macro_f1(documents, labels, found)


def _macro_f1(documents: Sequence[LabelledDocument], labels: Sequence[str], found: Sequence[int]) -> float:
    gold = gold_of(documents, labels)
    matrix = confusion(gold.index, np.asarray(found, np.int64)[gold.decided], len(labels) + 1)
    there = matrix.sum(axis=1)[: len(labels)] > 0  # a label without an example cannot be measured
    return float(f1_scores(matrix)[2][: len(labels)][there].mean())
