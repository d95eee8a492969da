"""What the labels say about a document as a whole."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boilerplate_clf.labels import Label

if TYPE_CHECKING:
    from boilerplate_clf.inference.document import Paragraph

_READ_ON = re.compile(
    r"weiter\s?(?:zu)?lesen|(?:ganze|vollständige|komplette|gesamte)n?\s+(?:artikel|text|beitrag|bericht|inhalt)"
    r"|(?:diese[nr]?|den|der|unsere)\s+(?:\S+\s+)?(?:artikel|text|beitrag|bericht|inhalt)\s+(?:\S+\s+){0,4}?"
    r"(?:lesen|freischalten|freigeschaltet|exklusiv|kostenpflichtig|nur)"
    r"|(?:exklusiv|nur|ausschließlich)\s+für\s+(?:\S+\s+)?(?:abonnent|mitglied|leser|registriert|unsere)"
    r"|freischalten|mit\s+\S*\s?abo\s+(?:weiter)?lesen",
    re.I,
)
"""A notice that asks to read on; a box for a newsletter does not."""

_RUNNING_TEXT = 160
"""Characters from which a paragraph is running text, not a headline, caption or teaser line."""
_SHORT = 3_500
"""Characters of running text below which an article may be a beginning only."""


@dataclass(frozen=True)
class Summary:
    """A document's verdict."""

    content_share: float
    """Characters in paragraphs of content, as a share of all; 1 for an empty document."""
    appeals: Mapping[str, int]
    """Paragraphs of each label other than content that occurs."""
    cut_off: bool
    """Whether the article looks cut off by a paywall."""
    evidence: tuple[str, ...]
    """What speaks for it; empty where nothing does."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "content_share": round(self.content_share, 4),
            "appeals": dict(self.appeals),
            "cut_off": self.cut_off,
            "evidence": list(self.evidence),
        }


def summarise(paragraphs: Sequence[Paragraph], keep_label: str, free: bool | None = None) -> Summary:
    """Return the verdict on a document.

    Cut off is an article that is short and ends at a notice that asks to read on: the notice has the label
    ``subscription_appeal`` and says so in words, and no running text follows. A page that says of itself that
    it is not free, is short and has any such notice, counts too. A newsletter box never does.

    Args:
        paragraphs: labelled.
        keep_label: the label of content.
        free: schema.org's ``isAccessibleForFree``, where a page states it.
    """
    sizes = [(len(p.text), p.label == keep_label) for p in paragraphs]
    total = sum(size for size, _ in sizes)
    content = sum(size for size, kept in sizes if kept)
    running = [size if kept and size >= _RUNNING_TEXT else 0 for size, kept in sizes]
    notice = _last_notice(paragraphs)
    short = sum(running) < _SHORT
    ends = notice is not None and short and not any(running[notice + 1 :])
    evidence = []
    if notice is not None and ends:
        evidence.append(
            f"paragraph {paragraphs[notice].index} asks to read on, after {sum(running):,} characters of "
            "running text and before none"
        )
    if free is False:
        evidence.append("the page says that it is not accessible for free")
    return Summary(
        content_share=content / total if total else 1.0,
        appeals=dict(Counter(str(p.label) for p in paragraphs if p.label != keep_label)),
        cut_off=ends or (free is False and notice is not None and short),
        evidence=tuple(evidence),
    )


def _last_notice(paragraphs: Sequence[Paragraph]) -> int | None:
    """Return the place of the last notice that asks to read on; the first may be a badge above the text."""
    found = None
    for place, paragraph in enumerate(paragraphs):
        if paragraph.label == Label.SUBSCRIPTION_APPEAL and _READ_ON.search(paragraph.text):
            found = place
    return found
