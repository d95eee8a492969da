"""Splitting a text into paragraphs without losing a character's place.

Extractors write one block per line, with or without blank lines between them; so every line is a
paragraph. Nothing is normalised: a span is a pair of offsets into the text as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# Everything that str.splitlines() splits at: LF, VT, FF, CR, FS, GS, RS, NEL, LS, PS.
_LINE = re.compile("[^\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029]+")

INVISIBLE = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
"""Soft hyphen, zero-width characters, bidi controls, word joiner, BOM; to stand in a pattern's brackets."""

# \s covers NBSP and the typographic blanks.
_VISIBLE = re.compile(f"[^\\s\x00{INVISIBLE}]")


class Span(NamedTuple):
    """Character offsets, end exclusive."""

    start: int
    end: int


def trim(text: str, start: int = 0, end: int | None = None) -> Span:
    """Return the part of ``text[start:end]`` without blank and invisible characters at its ends.

    A part without any visible character gives an empty span at ``start``.
    """
    end = len(text) if end is None else end
    first = _VISIBLE.search(text, start, end)
    if first is None:
        return Span(start, start)
    last = end
    # From the right, one character at a time: a regular expression anchored at the end would be
    # quadratic on long runs of blanks.
    while not _VISIBLE.match(text, last - 1, last):
        last -= 1
    return Span(first.start(), last)


def split_paragraphs(text: str) -> Iterator[Span]:
    r"""Yield the spans of all non-blank lines, in order, trimmed.

    >>> text = "Titel\r\n\r\n  Erster Absatz. \nZweiter."
    >>> [text[a:b] for a, b in split_paragraphs(text)]
    ['Titel', 'Erster Absatz.', 'Zweiter.']
    """
    for line in _LINE.finditer(text):
        span = trim(text, line.start(), line.end())
        if span.end > span.start:
            yield span
