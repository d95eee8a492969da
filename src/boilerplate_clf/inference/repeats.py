"""One judgement for what a page says twice.

A page often holds the same appeal more than once (after the teaser and again below the article, say), and
what is read in one place is not seen in the other. The same words have the same label, though: of 1,073
texts of two or more words that repeat on a page of gold train, 4 have several labels. So their logits are
averaged (a logarithmic opinion pool, Heskes 1998). A single word ("Anmelden", "Weiter") depends on where it
stands: of 713 that repeat, 38 are an appeal somewhere, and 27 of those content elsewhere on the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[Any]


def repeat_key(paragraph: str) -> str | None:
    """Return what repeats of a paragraph have in common; None: its words alone do not make one."""
    key = " ".join(paragraph.split())
    return key if " " in key else None


def places_of_repeats(keys: Sequence[str | None]) -> dict[str, list[int]]:
    """Return the places of each :func:`repeat_key` that stands in several."""
    places: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        if key is not None:
            places.setdefault(key, []).append(place)
    return {key: found for key, found in places.items() if len(found) > 1}


def pool_repeats(paragraphs: Sequence[str], logits: Logits) -> Logits:
    """Return the logits with the mean of all places where a paragraph stands at each of them.

    Args:
        paragraphs: of one document; how many blanks part their words does not matter.
        logits: ``(paragraphs, labels)``; not changed.
    """
    repeats = places_of_repeats([repeat_key(text) for text in paragraphs])
    if not repeats:
        return logits
    pooled = logits.copy()
    for rows in repeats.values():
        pooled[rows] = logits[rows].mean(axis=0, dtype=np.float64)  # the same whatever their order
    return pooled
