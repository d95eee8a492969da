"""Which phrases drove a label: occlusion (Zeiler and Fergus 2014; for text Li et al. 2016).

A phrase is left out, the paragraph is judged again in its place, and the fall of the label's log odds
is the phrase's influence. The model itself is asked, no surrogate of it. It judges repeats together
(:mod:`boilerplate_clf.inference.repeats`), so a phrase is left out of all repeats that are judged along.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from boilerplate_clf.inference.document import Document, Paragraph, Phrase
from boilerplate_clf.inference.repeats import places_of_repeats
from boilerplate_clf.limits import HEAD_CHARS

LogOdds = Callable[[Sequence[Sequence[str]], int, str], list[float]]
"""(documents, index of a paragraph, label) -> log odds of the label in each document."""

_CONTEXT = 6
"""Paragraphs before and after that are judged along."""
_REPEATS = 3
"""Repeats farther away that are judged along."""
_REPEAT_CONTEXT = 2
"""Paragraphs before and after such a repeat."""
_PHRASE_WORDS = 4
_MAX_PHRASES = 60
_SHOWN = 3
_LEAST_INFLUENCE = 0.1
_END = re.compile(r"[.!?:;,…|]$")


def explain(document: Document, keys: Sequence[str | None], log_odds: LogOdds) -> Document:
    """Fill :attr:`Paragraph.because` of all paragraphs that are not content.

    Args:
        document: a result of the model.
        keys: of its paragraphs, by which repeats are known.
        log_odds: asks the model.
    """
    texts = [p.text[:HEAD_CHARS] for p in document]
    repeats = places_of_repeats(keys)
    paragraphs = []
    for p in document:
        if p.label != document.keep_label:
            same = repeats.get(keys[p.index] or "", [p.index])
            p = replace(p, because=_phrases(p, texts, same, log_odds))
        paragraphs.append(p)
    return document.with_paragraphs(paragraphs)


def split_phrases(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of phrases: up to four words that no punctuation parts."""
    words = list(re.finditer(r"\S+", text))
    size = 1 if len(words) <= _PHRASE_WORDS else max(_PHRASE_WORDS, -(-len(words) // _MAX_PHRASES))
    phrases: list[tuple[int, int]] = []
    count = 0
    for word in words:
        if count and count < size:
            phrases[-1] = (phrases[-1][0], word.end())
        else:
            phrases.append(word.span())
            count = 0
        count = 0 if _END.search(word.group()) else count + 1
    return phrases


def _phrases(
    paragraph: Paragraph, texts: Sequence[str], same: Sequence[int], log_odds: LogOdds
) -> tuple[Phrase, ...]:
    place = paragraph.index
    judged = set(_around(place, _CONTEXT, len(texts)))
    for far in sorted(set(same) - judged, key=lambda other: abs(other - place))[:_REPEATS]:
        judged.update(_around(far, _REPEAT_CONTEXT, len(texts)))
    window = sorted(judged)
    text = texts[place]
    spans = split_phrases(text)
    repeats = set(same)
    variants = [
        [text[:start] + text[end:] if i in repeats else texts[i] for i in window] for start, end in spans
    ]
    whole, *without = log_odds(
        [[texts[i] for i in window], *variants], window.index(place), str(paragraph.label)
    )
    found = [
        Phrase(start, end, text[start:end], whole - odds)
        for (start, end), odds in zip(spans, without, strict=True)
        if whole - odds >= _LEAST_INFLUENCE
    ]
    return tuple(sorted(found, key=lambda phrase: -phrase.influence)[:_SHOWN])


def _around(place: int, context: int, size: int) -> range:
    return range(max(0, place - context), min(size, place + context + 1))
