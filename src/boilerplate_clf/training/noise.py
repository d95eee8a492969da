"""Noise for training: what scrapers, keyboards and sites make of a text, and other publishers' names."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import replace

from boilerplate_clf.training.data import LabelledDocument

_LEAST_NAME = 3


class NameSwap:
    """Gives a page's publisher another one's name, so that no label hangs on a name.

    A name is told by the publisher's domain ("freie-presse.de": "Freie Presse", "FreiePresse"), in any
    spelling of capitals.

    Args:
        publishers: domains.
    """

    def __init__(self, publishers: Iterable[str]) -> None:
        """Collect the names."""
        self._names = sorted({name for domain in publishers if (name := _name(domain))})

    def __call__(self, document: LabelledDocument, rng: random.Random) -> LabelledDocument:
        """Return the document with its publisher's name replaced by one drawn from the others."""
        name = _name(document.publisher)
        others = [other for other in self._names if other != name]
        if not name or not others:
            return document
        parts = "[- ]?".join(map(re.escape, name.split("-")))
        pattern = re.compile(rf"\b{parts}(?=s?\b)", re.IGNORECASE)
        other = rng.choice(others)
        written = " ".join(word.capitalize() for word in other.split("-"))

        def swapped(match: re.Match[str]) -> str:
            found = match.group()
            return other if found.islower() else written.upper() if found.isupper() else written

        return replace(document, texts=tuple(pattern.sub(swapped, text) for text in document.texts))


def _name(domain: str) -> str:
    """Return what stands before the top-level domain; nothing where it is not a domain or too short."""
    parts = domain.lower().split(".")
    return parts[-2] if len(parts) > 1 and len(parts[-2]) >= _LEAST_NAME else ""


_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"})
_WORD = re.compile(r"[^\W\d_]{4,}")
_TYPOS = 0.1


def _mistyped(word: str, rng: random.Random) -> str:
    """Swap, drop or double a letter inside one of ten words."""
    if rng.random() >= _TYPOS:
        return word
    at = rng.randrange(1, len(word) - 1)
    one, two = word[at], word[at + 1]
    return word[:at] + rng.choice((two + one, two, one + one + two)) + word[at + 2 :]


def add_noise(document: LabelledDocument, share: float, rng: random.Random) -> LabelledDocument:
    """Change a ``share`` of the paragraphs as scrapers, keyboards and sites do; labels stay."""
    texts: list[str] = []
    labels: list[str] = []
    for text, label in zip(document.texts, document.labels, strict=True):
        if rng.random() >= share:
            texts.append(text)
            labels.append(label)
            continue
        kind = rng.randrange(9)
        if kind == 0:
            text = text.translate(_UMLAUTS)
        elif kind == 1 and len(text) < 120:
            text = text.upper()
        elif kind == 2:
            text = re.sub(r"([.!?]) ", r"\1", text)
        elif kind == 3:
            text = text.rstrip(".!?:… ")
        elif kind == 4 and texts and labels[-1] == label and len(texts[-1]) + len(text) < 400:
            texts[-1] += rng.choice((" ", "", " | ")) + text
            continue
        elif kind == 5 and len(text) > 80:
            # One block becomes two: sites break their pleas anywhere.
            sentences = re.split(r"(?<=[.!?]) +", text)
            if len(sentences) > 1:
                at = rng.randint(1, len(sentences) - 1)
                texts.append(" ".join(sentences[:at]))
                labels.append(label)
                text = " ".join(sentences[at:])
        elif kind == 6:
            text = text.replace("„", '"').replace("“", '"').replace("ß", "ss")
        elif kind == 7:
            text = text.lower()
        elif kind == 8:
            text = _WORD.sub(lambda match: _mistyped(match.group(), rng), text)
        texts.append(text)
        labels.append(label)
    return replace(document, texts=tuple(texts), labels=tuple(labels))
