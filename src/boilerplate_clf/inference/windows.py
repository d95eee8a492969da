"""Putting the paragraphs of a document into sequences for the encoder.

All paragraphs that fit stand in one sequence, each behind a marker token whose vector carries its
label, so that short lines see their neighbours (Cohan et al. 2019, "Pretrained Language Models for
Sequential Sentence Classification"). A long document becomes several windows that overlap; each
paragraph is read off the window in which it has most context around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class WindowConfig:
    """Token budgets and special ids; stored in ``bundle.json``."""

    window_tokens: int
    """Longest sequence, special tokens included."""
    overlap_tokens: int
    """Context that two neighbouring windows share, at least (where paragraphs are short enough)."""
    head_tokens: int
    tail_tokens: int
    """A longer paragraph is cut to its first ``head_tokens`` and its last ``tail_tokens``."""
    cls_id: int
    sep_id: int
    pad_id: int
    marker_id: int

    def __post_init__(self) -> None:
        """Check that one paragraph always fits, with room to go forward."""
        if self.head_tokens < 1 or self.tail_tokens < 0 or self.overlap_tokens < 0:
            raise ValueError("token budgets must not be negative")
        if self.paragraph_tokens + self.overlap_tokens > self.window_tokens - 2:
            raise ValueError("window_tokens is too small for one paragraph and the overlap")

    @property
    def paragraph_tokens(self) -> int:
        """Most tokens that one paragraph can take, its marker included."""
        return 1 + self.head_tokens + self.tail_tokens


@dataclass(frozen=True)
class Window:
    """A sequence with the paragraphs ``first .. first + len(markers) - 1`` of its document."""

    first: int
    ids: list[int]
    markers: list[int]
    """Position of each paragraph's marker in ``ids``."""
    keep: range
    """Indices of the paragraphs whose labels are taken from this window."""


def cut(ids: Sequence[int], head: int, tail: int) -> list[int]:
    """Keep the first ``head`` and the last ``tail`` of a paragraph's tokens."""
    if len(ids) <= head + tail:
        return list(ids)
    return [*ids[:head], *ids[len(ids) - tail :]]


def make_windows(paragraphs: Sequence[Sequence[int]], config: WindowConfig) -> list[Window]:
    """Pack a document's paragraphs (token ids, uncut) into windows.

    [CLS] stands only at the document's start and [SEP] only at its end: the encoder can tell an
    edge of the document from an edge of the window.

    Returns:
        Windows in order; every paragraph index is in exactly one window's ``keep``.
    """
    if not paragraphs:
        return []
    rows = [cut(ids, config.head_tokens, config.tail_tokens) for ids in paragraphs]
    ranges = _ranges([len(row) + 1 for row in rows], config)
    windows = []
    border = 0
    for number, (start, stop) in enumerate(ranges):
        ids = [config.cls_id] if start == 0 else []
        markers = []
        for row in rows[start:stop]:
            markers.append(len(ids))
            ids.append(config.marker_id)
            ids.extend(row)
        if stop == len(rows):
            ids.append(config.sep_id)
        # Paragraphs shared with the next window: the first half is read here, the rest there.
        if number + 1 < len(ranges):
            following = ranges[number + 1][0]
            until = following + (stop - following + 1) // 2
        else:
            until = len(rows)
        windows.append(Window(start, ids, markers, range(border, until)))
        border = until
    return windows


def _ranges(sizes: list[int], config: WindowConfig) -> list[tuple[int, int]]:
    """Return (start, stop) paragraph ranges that fit the window and overlap."""
    room = config.window_tokens - 2
    ranges = []
    start = 0
    while True:
        stop, used = start, 0
        while stop < len(sizes) and used + sizes[stop] <= room:
            used += sizes[stop]
            stop += 1
        ranges.append((start, stop))
        if stop == len(sizes):
            return ranges
        # The room left in the next window must let it pass `stop`: else it would not go forward.
        following, shared = stop, 0
        while (
            following - 1 > start
            and shared < config.overlap_tokens
            and shared + sizes[following - 1] + sizes[stop] <= room
        ):
            following -= 1
            shared += sizes[following]
        start = following
