"""One judgement for what a page says twice.

A page often holds the same appeal more than once (after the teaser and again below the article, say), and
what is read in one place is not seen in the other. The same words have the same label, though: of 1,073
texts of two or more words that repeat on a page of gold train, 4 have several labels. So their logits are
averaged (a logarithmic opinion pool, Heskes 1998). A single word ("Anmelden", "Weiter") depends on where it
stands: of 713 that repeat, 38 are an appeal somewhere, and 27 of those content elsewhere on the page.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]


def pool_repeats(paragraphs: Sequence[str], logits: Logits) -> Logits:
    """Return the logits with the mean of all places where a paragraph stands at each of them.

    Args:
        paragraphs: of one document; how many blanks part their words does not matter.
        logits: ``(paragraphs, labels)``; not changed.
    """
    places: dict[str, list[int]] = {}
    for place, text in enumerate(paragraphs):
        places.setdefault(" ".join(text.split()), []).append(place)
    if len(places) == len(paragraphs):
        return logits
    pooled = logits.copy()
    for text, rows in places.items():
        if len(rows) > 1 and " " in text:
            pooled[rows] = logits[rows].mean(axis=0)
    return pooled
