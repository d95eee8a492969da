"""Setting documents aside for measuring, so that no document is on both sides."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

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
        splitter = require("train", "sklearn.model_selection").StratifiedGroupKFold(
            folds, shuffle=True, random_state=seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of labels with fewer examples than folds: check has told
            _, aside = next(splitter.split(groups, [row.label for row in rows], groups))
        chosen = set(aside.tolist())
        train = [row for number, row in enumerate(rows) if number not in chosen]
        dev = [row for number, row in enumerate(rows) if number in chosen]
    for name, part in (("train on", train), ("measure on", dev)):
        if not any(row.label for row in part):
            raise DataError(f"no labelled row is left to {name}: check the column of splits")
    return train, dev
