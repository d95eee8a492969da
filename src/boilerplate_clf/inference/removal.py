"""What cleaning takes out of a text, so that it can be looked at, and put back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boilerplate_clf.inference.document import Paragraph


@dataclass(frozen=True)
class Cut:
    """A stretch of a text that is not in the cleaned text."""

    start: int
    end: int
    """Offsets in the text."""


def find_cuts(text: str, paragraphs: Sequence[Paragraph], keep_label: str) -> list[Cut]:
    """Return what cleaning cuts out, in order, without touching stretches.

    A removed paragraph goes together with what parts it from the next one; at the end of a text, with what
    parts it from the one before.
    """
    kept = [p for p in paragraphs if p.label == keep_label]
    if len(kept) == len(paragraphs):
        return []
    if not kept:
        return [Cut(0, len(text))]
    cuts: list[Cut] = []

    def add(start: int, end: int) -> None:
        if cuts and cuts[-1].end >= start:
            start = cuts.pop().start
        cuts.append(Cut(start, end))

    final = kept[-1]
    for paragraph, following in pairwise(paragraphs):
        if paragraph.label != keep_label and paragraph.index < final.index:
            add(paragraph.start, following.start)
    if paragraphs[-1].label != keep_label:
        add(final.end, paragraphs[-1].end)
    return cuts


def without(text: str, cuts: Iterable[Cut]) -> str:
    """Return the text without some stretches of it."""
    parts, place = [], 0
    for cut in cuts:
        parts.append(text[place : cut.start])
        place = cut.end
    return "".join(parts) + text[place:]


def restore(clean_text: str, cuts: Iterable[Mapping[str, Any]]) -> str:
    """Return the original text of a cleaned one.

    Args:
        clean_text: what was left.
        cuts: the ``cuts`` of a line of the file that ``clean --removed`` writes: objects with ``start`` and
            ``text``.

    Raises:
        ValueError: the cuts are not of this text.
    """
    parts: list[str] = []
    done = place = 0  # characters of the original, and of the cleaned text, that have been put together
    for cut in cuts:
        length = int(cut["start"]) - done
        if length < 0 or place + length > len(clean_text):
            raise ValueError(f"there is no place {cut['start']} in this text: the cuts are of another one")
        parts += [clean_text[place : place + length], str(cut["text"])]
        place += length
        done = int(cut["start"]) + len(str(cut["text"]))
    return "".join(parts) + clean_text[place:]


def restore_paragraphs(clean_paragraphs: Sequence[str], removed: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the original paragraphs of a cleaned list.

    Args:
        clean_paragraphs: what was left.
        removed: the ``removed`` of a line of the file that ``clean --removed`` writes: objects with ``index``
            and ``text``.

    Raises:
        ValueError: they are not of this list.
    """
    paragraphs = list(clean_paragraphs)
    for item in removed:
        if not 0 <= int(item["index"]) <= len(paragraphs):
            raise ValueError(f"there is no place {item['index']} in this list: the rest is of another one")
        paragraphs.insert(int(item["index"]), str(item["text"]))
    return paragraphs
