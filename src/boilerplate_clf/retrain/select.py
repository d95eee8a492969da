"""Which paragraphs to label next: those the model is unsure of, and of those ones that differ.

Uncertainty alone picks the same box of the same site many times; clustering the unsure ones first and
taking one of each cluster avoids that (Zhdanov 2019, "Diverse mini-batch active learning").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from boilerplate_clf.errors import DataError
from boilerplate_clf.extras import require
from boilerplate_clf.inference.classifier import Classifier
from boilerplate_clf.retrain.rows import Row, group_rows
from boilerplate_clf.retrain.tables import TABLE, table_line, write_csv

_CANDIDATES = 10
"""Unsure paragraphs that are looked at for each one that is picked."""

_LEAST_SHARE = 0.2
"""Of the largest entropy: what the model is surer of teaches little, however different it is."""

HEADER = (*TABLE, "guess", "score")


@dataclass(frozen=True)
class Pick:
    """A paragraph worth a label."""

    row: Row
    guess: str
    """What the model takes it for."""
    score: float
    """Probability of the guess."""


def pick_rows(rows: Sequence[Row], classifier: Classifier, number: int, *, seed: int = 0) -> list[Pick]:
    """Return at most ``number`` unlabelled rows, the most useful first.

    Args:
        rows: labelled rows are context for their neighbours; texts that have a label somewhere are left out.
        classifier: a model with the labels in question.
        number: how many to pick.
        seed: of the clustering.

    Raises:
        DataError: every row has a label.
    """
    labelled = {row.key for row in rows if row.label}
    picks: dict[str, tuple[float, Pick]] = {}
    groups = group_rows(rows)
    documents = classifier.predict_batch([[row.text for row in group] for group in groups])
    for group, document in zip(groups, documents, strict=True):
        for row, paragraph in zip(group, document, strict=True):
            key = row.key
            if not key or row.label or key in labelled:
                continue
            values = np.asarray(list(paragraph.scores.values()))
            entropy = float(-(values * np.log(values + 1e-12)).sum())
            if key not in picks or entropy > picks[key][0]:
                guess = str(paragraph.raw_label)
                picks[key] = (entropy, Pick(row, guess, float(values.max())))
    if not picks:
        raise DataError("every row has a label already: add rows whose label cell is empty")
    ranked = sorted(picks.values(), key=lambda item: -item[0])
    unsure = [item for item in ranked if item[0] >= _LEAST_SHARE * ranked[0][0]][: number * _CANDIDATES]
    if len(unsure) <= number:
        return [pick for _, pick in ranked[:number]]
    vectors = require("train", "sklearn.feature_extraction.text").TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), max_features=20_000
    )
    clusters = require("train", "sklearn.cluster").MiniBatchKMeans(number, n_init=1, random_state=seed)
    found = clusters.fit_predict(vectors.fit_transform(pick.row.text for _, pick in unsure))
    first: dict[int, Pick] = {}
    for cluster, (_, pick) in zip(found.tolist(), unsure, strict=True):
        first.setdefault(cluster, pick)
    chosen = list(first.values())
    # Clusters may stay empty: fill up with the next unsure ones.
    taken = {id(pick) for pick in chosen}
    chosen += [pick for _, pick in unsure if id(pick) not in taken][: number - len(chosen)]
    return chosen


def write_picks(picks: Sequence[Pick], path: Path) -> None:
    """Write a CSV file whose label cells are to be filled in."""
    write_csv(path, HEADER, ((*table_line(pick.row), pick.guess, f"{pick.score:.3f}") for pick in picks))
