"""Making training documents: pages as they are, and pages put together anew.

The labelled pages are few, and the same publishers' appeals stand on many of them. So appeals are
also set into other articles: runs of appeals cut from labelled pages, authored blocks, and hard
negatives, at the places where pages have them. The order within a block is kept, since short lines
get their label from their neighbours.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from boilerplate_clf.labels import UNDECIDED
from boilerplate_clf.training.data import LabelledDocument, runs_of_appeals
from boilerplate_clf.training.noise import NameSwap, add_noise


@dataclass(frozen=True)
class ComposeConfig:
    """How many training documents of each kind an epoch has, and how much noise."""

    content_page_share: float = 0.5
    """Share of the labelled pages without any appeal that an epoch shows."""
    pseudo_page_share: float = 0.25
    """Share of the pages labelled by a teacher that an epoch shows."""
    composed_per_block: float = 1.0
    """Composed documents per authored block (each block is used about three times as often)."""
    scattered_per_block: float = 0.0
    """Articles with single paragraphs of blocks set into them, apart from one another, per authored block."""
    lone_per_block: float = 0.35
    """Blocks and paragraphs without any context (context dropout), per authored block."""
    noise: float = 0.08
    """Share of paragraphs with scrapers' and spelling noise."""
    name_swaps: float = 0.0
    """Share of the labelled pages on which the publisher bears another one's name."""


_LONG = 8
"""Blocks of this many paragraphs or more are drawn equally often."""


class Composer:
    """Draws the training documents of an epoch.

    Args:
        pages: labelled pages.
        blocks: authored blocks: a few consecutive paragraphs each.
        carriers: articles without appeals, from which composed documents are made; the pages'
            own articles are added.
        keep_label: the label of article text.
        config: shares.
        pseudo: pages labelled by a teacher; shown as they are.
    """

    def __init__(
        self,
        pages: Sequence[LabelledDocument],
        blocks: Sequence[LabelledDocument],
        carriers: Sequence[LabelledDocument],
        keep_label: str,
        config: ComposeConfig,
        pseudo: Sequence[LabelledDocument] = (),
    ) -> None:
        """Sort the material into appeals, negatives and carriers."""
        self.keep, self.config, self.pseudo = keep_label, config, list(pseudo)
        self.with_appeals = [page for page in pages if self._has_appeal(page)]
        self.without = [page for page in pages if not self._has_appeal(page)]
        self.appeals = [block for block in blocks if self._has_appeal(block)]
        self.negatives = [block for block in blocks if not self._has_appeal(block)]
        self.blocks = list(blocks)
        self.lines = [block for block in blocks if len(block) == 1]
        self.cut_runs = [
            _slice(page, max(0, start - 1), stop + 1)
            for page in self.with_appeals
            for start, stop in runs_of_appeals(page, keep_label)
        ]
        self._cut = _weighted(self.cut_runs)
        self._whole = _weighted(self.appeals or self.blocks)
        self._swap = NameSwap(page.publisher for page in pages)
        self.carriers = list(carriers)
        for page in pages:
            self.carriers.extend(_stretches(page, keep_label))

    def _has_appeal(self, document: LabelledDocument) -> bool:
        return any(label not in (self.keep, UNDECIDED) for label in document.labels)

    def epoch(self, rng: random.Random) -> list[LabelledDocument]:
        """Return the shuffled documents of one epoch."""
        config = self.config
        documents = list(self.with_appeals)
        documents += [page for page in self.without if rng.random() < config.content_page_share]
        documents += [page for page in self.pseudo if rng.random() < config.pseudo_page_share]
        if self.blocks and self.carriers:
            documents += [
                self._composed(rng) for _ in range(int(len(self.blocks) * config.composed_per_block))
            ]
        documents += self.scattered(int(len(self.blocks) * config.scattered_per_block), rng)
        documents += [self._lone(rng) for _ in range(int(len(self.blocks) * config.lone_per_block))]
        documents = [self._swap(d, rng) if rng.random() < config.name_swaps else d for d in documents]
        documents = [add_noise(document, config.noise, rng) for document in documents]
        rng.shuffle(documents)
        return documents

    def _composed(self, rng: random.Random) -> LabelledDocument:
        """An article with one to three blocks of appeals and up to two of hard negatives in it."""
        parts = self._stretch(rng, rng.randint(1, 8))
        insert: list[LabelledDocument] = []
        for _ in range(rng.choice((1, 1, 2, 2, 3))):
            cut = self.cut_runs and rng.random() < 0.25
            pool, weights = self._cut if cut else self._whole
            insert += rng.choices(pool, cum_weights=weights)
        for _ in range(rng.choice((0, 1, 1, 2))):
            if self.negatives:
                insert.append(rng.choice(self.negatives))
        rng.shuffle(insert)
        for block in insert:
            # Half of the appeals follow the article, the rest stand above or inside it.
            place = len(parts) if rng.random() < 0.5 else rng.randint(0, len(parts))
            parts.insert(place, block)
        return _join(parts)

    def scattered(self, number: int, rng: random.Random) -> list[LabelledDocument]:
        """Return articles with one to three blocks of a single paragraph in them, apart from one another.

        Appeals mostly stand together, and a model learns that what stands alone is none. But extractors leave
        single lines in the middle of an article, too.

        Args:
            number: of articles; none are made without carriers or without blocks of one paragraph.
            rng: draws articles, lines and places.
        """
        if not self.lines or not self.carriers:
            return []
        return [self._scattered(rng) for _ in range(number)]

    def _scattered(self, rng: random.Random) -> LabelledDocument:
        article = self._stretch(rng, rng.randint(3, 10))
        places = range(1, len(article))
        chosen = rng.sample(places, min(len(places), rng.choice((1, 1, 2, 3))))
        for place in sorted(chosen, reverse=True):
            article.insert(place, rng.choice(self.lines))
        return _join(article)

    def _stretch(self, rng: random.Random, most: int) -> list[LabelledDocument]:
        """Return up to ``most`` consecutive paragraphs of an article, one by one."""
        carrier = rng.choice(self.carriers)
        length = min(len(carrier), most)
        start = rng.randint(0, len(carrier) - length)
        return [_slice(carrier, i, i + 1) for i in range(start, start + length)]

    def _lone(self, rng: random.Random) -> LabelledDocument:
        """A block by itself, or one longer paragraph of it."""
        block = rng.choice(self.blocks)
        longer = [i for i, text in enumerate(block.texts) if len(text.split()) >= 5]
        if longer and rng.random() < 0.6:
            index = rng.choice(longer)
            return _slice(block, index, index + 1)
        return block


def _weighted(pool: list[LabelledDocument]) -> tuple[list[LabelledDocument], list[int]]:
    """Return blocks with cumulative weights: longer ones are drawn more often.

    What short lines mean is learnt from their neighbours.
    """
    return pool, list(accumulate(min(len(block), _LONG) for block in pool))


def _slice(document: LabelledDocument, start: int, stop: int) -> LabelledDocument:
    return replace(document, texts=document.texts[start:stop], labels=document.labels[start:stop])


def _join(parts: Sequence[LabelledDocument]) -> LabelledDocument:
    return LabelledDocument(
        "composed",
        parts[0].publisher,
        tuple(text for part in parts for text in part.texts),
        tuple(label for part in parts for label in part.labels),
    )


def _stretches(page: LabelledDocument, keep_label: str, least: int = 4) -> list[LabelledDocument]:
    """Cut the stretches of at least ``least`` paragraphs of content out of a page."""
    found, start = [], 0
    for index in range(len(page) + 1):
        if index == len(page) or page.labels[index] != keep_label:
            if index - start >= least:
                found.append(_slice(page, start, index))
            start = index + 1
    return found
