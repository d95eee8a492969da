"""Pages that a model with added labels must keep judging as it did: they teach it what its labels are not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import boilerplate_clf
from boilerplate_clf.errors import DataError
from boilerplate_clf.labels import CONTENT, UNDECIDED
from boilerplate_clf.training.data import LabelledDocument, read_labelled
from boilerplate_clf.training.linear import LinearConfig, fit_linear, linear_scores

PAGES = 820
"""Authored pages that a training draws."""

_MOST_LOOKALIKES = 0.03
_SPIES = 0.2
_NEW, _OLD = "new", "old"


def authored_pages() -> Path:
    """Return the file with the shipped model's authored training pages: in the wheel, or in a working tree.

    Raises:
        DataError: the package was installed without it.
    """
    package = Path(boilerplate_clf.__file__).resolve().parent
    for folder in (package / "data", package.parent.parent / "training" / "data"):
        if (folder / "pages-rehearsal.jsonl").is_file():
            return folder / "pages-rehearsal.jsonl"
    raise DataError("the authored pages are not installed: reinstall boilerplate-clf")


def rehearsal(
    examples: Sequence[str], keep_label: str, seed: int
) -> tuple[list[LabelledDocument], list[tuple[bool, ...]]]:
    """Return pages whose paragraphs have none of the new labels.

    Nobody has looked through them for the new labels. Paragraphs that look like them are therefore asked of
    nobody (label "?"); see :func:`_without_lookalikes`.

    Args:
        examples: texts with a new label.
        keep_label: what all other paragraphs are labelled as.
        seed: of the draw.

    Returns:
        The pages, and of each which paragraphs its author called an appeal: nothing else is so easily taken
        for a new label.
    """
    drawn = read_labelled(authored_pages())
    random.Random(seed).shuffle(drawn)
    drawn = drawn[:PAGES]
    pages = [replace(page, publisher=page.page, labels=(keep_label,) * len(page)) for page in drawn]
    appeals = [tuple(label not in (CONTENT, UNDECIDED) for label in page.labels) for page in drawn]
    return _without_lookalikes(pages, examples, seed), appeals


def _without_lookalikes(
    pages: Sequence[LabelledDocument], examples: Sequence[str], seed: int
) -> list[LabelledDocument]:
    """Mark the paragraphs that are as much like the examples as hidden examples are.

    A fifth of the examples is put among the pages as spies, and a linear model fitted to tell the others from
    everything else. What scores like the upper half of the spies is taken out (Liu et al. 2002, "Partially
    Supervised Classification of Text Documents"), the likeliest 3 % of all paragraphs at most.
    """
    texts = list(dict.fromkeys(examples))
    if len(texts) < 2:
        return list(pages)
    random.Random(seed).shuffle(texts)
    spies = texts[: max(1, round(len(texts) * _SPIES))]
    lone = [_lone(text, _NEW) for text in texts[len(spies) :]]
    hidden = [_lone(text, _OLD) for text in spies]
    old = [replace(page, labels=(_OLD,) * len(page)) for page in pages]
    model = fit_linear([*lone, *hidden, *old], (_OLD, _NEW), LinearConfig(ngrams=60_000, max_iter=50))
    likely = [scores[:, 1] for scores in linear_scores(model, pages)]
    caught = np.concatenate([scores[:, 1] for scores in linear_scores(model, hidden)])
    everything = np.concatenate(likely)
    least = max(float(np.median(caught)), float(np.quantile(everything, 1 - _MOST_LOOKALIKES)))
    return [
        replace(
            page,
            labels=tuple(
                UNDECIDED if score >= least else label
                for label, score in zip(page.labels, scores, strict=True)
            ),
        )
        for page, scores in zip(pages, likely, strict=True)
    ]


def _lone(text: str, label: str) -> LabelledDocument:
    return LabelledDocument("", "", (text,), (label,))
