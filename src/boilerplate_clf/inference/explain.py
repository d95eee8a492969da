"""Which phrases drove a label: occlusion (Zeiler and Fergus 2014; for text Li et al. 2016).

A phrase is left out, the paragraph is judged again in its place, and the fall of the label's log odds
is the phrase's influence. The model itself is asked, no surrogate of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from boilerplate_clf.inference.document import Document, Paragraph, Phrase
from boilerplate_clf.limits import HEAD_CHARS

LogOdds = Callable[[Sequence[Sequence[str]], int, str], list[float]]
"""(documents, index of a paragraph, label) -> log odds of the label in each document."""

_CONTEXT = 6
"""Paragraphs before and after that are judged along."""
_PHRASE_WORDS = 4
_MAX_PHRASES = 60
_SHOWN = 3
_LEAST_INFLUENCE = 0.1
_END = re.compile(r"[.!?:;,…|]$")


def explain(document: Document, log_odds: LogOdds) -> Document:
    """Fill :attr:`Paragraph.because` of all paragraphs that are not content."""
    texts = [p.text[:HEAD_CHARS] for p in document]
    paragraphs = [
        p if p.label == document.keep_label else replace(p, because=_phrases(p, texts, log_odds))
        for p in document
    ]
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


def _phrases(paragraph: Paragraph, texts: Sequence[str], log_odds: LogOdds) -> tuple[Phrase, ...]:
    first = max(0, paragraph.index - _CONTEXT)
    before = list(texts[first : paragraph.index])
    after = list(texts[paragraph.index + 1 : paragraph.index + 1 + _CONTEXT])
    text = texts[paragraph.index]
    spans = split_phrases(text)
    # Left out wherever the paragraph stands: repeats are judged together.
    around = [*before, text, *after]
    without_phrase = [text[:start] + text[end:] for start, end in spans]
    variants = [[other if t == text else t for t in around] for other in without_phrase]
    whole, *without = log_odds([around, *variants], len(before), str(paragraph.label))
    found = [
        Phrase(start, end, text[start:end], whole - odds)
        for (start, end), odds in zip(spans, without, strict=True)
        if whole - odds >= _LEAST_INFLUENCE
    ]
    return tuple(sorted(found, key=lambda phrase: -phrase.influence)[:_SHOWN])
