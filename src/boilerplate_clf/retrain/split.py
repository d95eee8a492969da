"""Setting documents aside for measuring, so that no document is on both sides."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from boilerplate_clf.errors import DataError
from boilerplate_clf.extras import require
from boilerplate_clf.retrain.rows import Row


def split_rows(rows: Sequence[Row], *, folds: int = 5, seed: int = 0) -> tuple[list[Row], list[Row]]:
    """Return the rows to train on and those to measure on.

    Where rows name their split, that is followed ("test" is left out of both). Otherwise one of ``folds``
    parts is set aside, drawn by document so that the labels are spread evenly.

    Raises:
        DataError: nothing would be left on one side.
    """
    if any(row.split for row in rows):
        train = [row for row in rows if row.split in ("train", "")]
        dev = [row for row in rows if row.split == "dev"]
        if any(row.label for row in train) and not dev:
            return split_rows([replace(row, split="") for row in train], folds=folds, seed=seed)
    else:
        groups = [row.group for row in rows]
        if len(set(groups)) < folds:
            raise DataError(
                f"only {len(set(groups))} documents: at least {folds} are needed to set some aside for "
                "measuring; leave the column of documents empty if the rows do not belong together"
            )
        train, dev = next(folds_of(rows, folds, seed))
    for name, part in (("train on", train), ("measure on", dev)):
        if not any(row.label for row in part):
            raise DataError(f"no labelled row is left to {name}: check the column of splits")
    return train, dev


def folds_of(rows: Sequence[Row], folds: int, seed: int) -> Iterator[tuple[list[Row], list[Row]]]:
    """Yield (the others, one part) for each of ``folds`` parts: by document, labels spread evenly.

    Rows keep their order; there must be at least ``folds`` documents.
    """
    splitter = require("train", "sklearn.model_selection").StratifiedGroupKFold(folds)
    documents, place = np.unique([row.group for row in rows], return_inverse=True)
    # Before scikit-learn 1.8 the splitter spreads no labels when it shuffles: documents are shuffled here.
    drawn = np.argsort(require("train", "sklearn.utils").check_random_state(seed).permutation(len(documents)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels with fewer examples than folds: check has told
        parts = list(splitter.split(place, [row.label for row in rows], drawn[place]))
    for others, part in parts:
        yield [rows[i] for i in others], [rows[i] for i in part]
