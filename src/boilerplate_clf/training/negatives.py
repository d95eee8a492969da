"""Hard negatives and carriers from unlabelled text that is content by origin.

Parliament, law, encyclopedia, police reports and documentation speak of subscriptions, donations
and comments, but never ask their reader for any: every paragraph of theirs is content.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from boilerplate_clf.labels import CONTENT
from boilerplate_clf.training.corpus import iter_documents
from boilerplate_clf.training.data import LabelledDocument

TOPIC = re.compile(
    r"\babo\b|abonn|newsletter|spende|unterstütz|kommentar|registrier|anmeld|mitglied|kündig|"
    r"bezahl|gratis|kostenlos|probe|leser|redaktion|konto|euro (im|pro) monat|netiquette|beleidig|"
    r"iban|paypal|beitrag|veröffentlich",
    re.IGNORECASE,
)


def mine(
    paths: Sequence[Path], count: int, seed: int, *, topical: bool, length: int = 6
) -> list[LabelledDocument]:
    """Draw ``count`` stretches of up to ``length`` paragraphs, evenly over the files.

    Args:
        paths: text files as in :mod:`boilerplate_clf.training.corpus`.
        count: number of stretches.
        seed: of the draw.
        topical: only stretches around a paragraph that mentions the topics of the appeals.
        length: most paragraphs of a stretch.
    """
    found: list[LabelledDocument] = []
    for number, path in enumerate(paths):
        rng = random.Random(f"{seed}-{path.name}")
        wanted = (count + number) // len(paths)
        pool: list[LabelledDocument] = []
        for seen, stretch in enumerate(_stretches(path, rng, topical, length), 1):
            # Reservoir sampling: an even draw over a file of unknown length.
            if len(pool) < wanted:
                pool.append(stretch)
            elif (place := rng.randrange(seen)) < wanted:
                pool[place] = stretch
        found.extend(pool)
    return found


def _stretches(path: Path, rng: random.Random, topical: bool, length: int) -> Iterator[LabelledDocument]:
    name = path.name.split(".")[0]
    for number, paragraphs in enumerate(iter_documents(path)):
        if topical:
            places = [i for i, text in enumerate(paragraphs) if TOPIC.search(text)]
            if not places:
                continue
            centre = rng.choice(places)
        else:
            centre = rng.randrange(len(paragraphs))
        start = max(0, centre - rng.randint(0, length - 1))
        texts = tuple(paragraphs[start : start + length])
        yield LabelledDocument(f"{name}:{number}", name, texts, (CONTENT,) * len(texts))
