"""Refusing training text that repeats evaluation text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from boilerplate_clf.errors import LeakageError
from boilerplate_clf.labels import UNDECIDED
from boilerplate_clf.training.data import LabelledDocument

MIN_WORDS = 8
"""Shorter paragraphs ("Jetzt abonnieren") are common property and leak nothing."""

SIMILARITY = 0.7
"""Jaccard similarity of word 3-grams from which two paragraphs count as near-duplicates."""


@dataclass(frozen=True)
class Leak:
    """A training paragraph that is (nearly) an evaluation paragraph."""

    page: str
    paragraph: int


def shingles(text: str) -> set[str]:
    """Return the word 3-grams of a text, without case, digits and punctuation."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    return {" ".join(words[i : i + 3]) for i in range(max(1, len(words) - 2))}


def find_leaks(training: Iterable[LabelledDocument], evaluation: Sequence[LabelledDocument]) -> list[Leak]:
    """Return all paragraphs of ``training`` that nearly repeat one of ``evaluation``.

    Exact: an inverted index of word 3-grams gives the Jaccard similarity of every pair that
    shares any, which on some ten thousand paragraphs is faster than MinHash and misses nothing.
    """
    sizes: list[int] = []
    index: dict[str, list[int]] = {}
    for document in evaluation:
        for text in document.texts:
            if len(text.split()) >= MIN_WORDS:
                grams = shingles(text)
                for gram in grams:
                    index.setdefault(gram, []).append(len(sizes))
                sizes.append(len(grams))
    leaks = []
    for document in training:
        for number, text in enumerate(document.texts):
            if len(text.split()) < MIN_WORDS:
                continue
            grams = shingles(text)
            shared = Counter(other for gram in grams for other in index.get(gram, ()))
            if any(n / (len(grams) + sizes[other] - n) >= SIMILARITY for other, n in shared.items()):
                leaks.append(Leak(document.page, number))
    return leaks


def refuse_pages(training: Sequence[LabelledDocument], evaluation: Sequence[LabelledDocument]) -> None:
    """Check that no page and no publisher stands in both sets.

    Raises:
        LeakageError: one does; it is named.
    """
    pages, publishers = ({d.page for d in evaluation}, {d.publisher for d in evaluation})
    for document in training:
        if document.page in pages:
            raise LeakageError(f"page {document.page!r} is in the training and the evaluation data")
        if document.publisher in publishers:
            raise LeakageError(f"publisher {document.publisher!r} is in the training and the evaluation data")


def without_leaks(training: Sequence[LabelledDocument], leaks: Sequence[Leak]) -> list[LabelledDocument]:
    """Return the documents with leaking paragraphs taken out (their neighbours stay)."""
    drop: dict[str, set[int]] = {}
    for leak in leaks:
        drop.setdefault(leak.page, set()).add(leak.paragraph)
    cleaned = []
    for document in training:
        gone = drop.get(document.page, set())
        keep = [i for i in range(len(document)) if i not in gone]
        if any(document.labels[i] != UNDECIDED for i in keep):
            cleaned.append(
                replace(
                    document,
                    texts=tuple(document.texts[i] for i in keep),
                    labels=tuple(document.labels[i] for i in keep),
                )
            )
    return cleaned
