"""From labelled documents to batches of token ids, as the classifier reads them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from boilerplate_clf.inference.cascade import neighbourhood, reading
from boilerplate_clf.inference.pieces import Pieces
from boilerplate_clf.inference.windows import Window, WindowConfig, cut, make_windows
from boilerplate_clf.labels import UNDECIDED
from boilerplate_clf.training.calibrate import CascadeConfig
from boilerplate_clf.training.data import LabelledDocument
from boilerplate_clf.training.losses import IGNORE
from boilerplate_clf.training.tokenizer import CLS, PAD, PAR, SEP, token_id


@dataclass(frozen=True)
class Budgets:
    """Token budgets of windows and paragraphs."""

    window_tokens: int = 384
    overlap_tokens: int = 96
    head_tokens: int = 48
    tail_tokens: int = 16


def window_config(tokenizer: Tokenizer, budgets: Budgets) -> WindowConfig:
    """Join budgets with the tokenizer's special ids.

    The marker is [PAR] where the tokenizer has it; a foreign one uses its [SEP] (as Cohan et al.).
    """
    return WindowConfig(
        **asdict(budgets),
        cls_id=token_id(tokenizer, CLS),
        sep_id=token_id(tokenizer, SEP),
        pad_id=token_id(tokenizer, PAD),
        marker_id=token_id(tokenizer, SEP if tokenizer.token_to_id(PAR) is None else PAR),
    )


@dataclass(frozen=True)
class Example:
    """A window with the label index of each of its paragraphs (-100: not asked)."""

    window: Window
    labels: list[int]


class Featurizer:
    """Turns labelled documents into windows; tokenises as the inference does."""

    def __init__(self, tokenizer: Tokenizer, windows: WindowConfig, labels: Sequence[str]) -> None:
        """Remember tokenizer, budgets and label order."""
        self.windows = windows
        self._pieces = Pieces(tokenizer)
        self.label_ids = {label: index for index, label in enumerate(labels)} | {UNDECIDED: IGNORE}

    def encode(self, document: LabelledDocument) -> list[list[int]]:
        """Return the token ids of each paragraph, uncut."""
        return self._pieces.ids(document.model_texts())

    def examples(self, document: LabelledDocument) -> list[Example]:
        """Return the document's windows with all their labels, overlap included."""
        labels = [self.label_ids[label] for label in document.labels]
        return self._windowed(self.encode(document), labels)

    def asked_examples(
        self, document: LabelledDocument, asked: npt.NDArray[np.bool_], cascade: CascadeConfig
    ) -> list[Example]:
        """Return windows as the encoder gets them behind a cascade, with the labels that are asked.

        Args:
            document: a page.
            asked: mask of its paragraphs.
            cascade: what is read along; what is asked about and has one of its wide labels is suspected.
        """
        texts = document.model_texts()
        suspected = asked & np.isin(document.labels, cascade.wide_labels)
        seen = reading(asked, suspected, cascade.context, cascade.wide_context)
        rows = np.flatnonzero(seen.read).tolist()
        ids = [
            row if seen.whole[i] else cut(row, cascade.context_head, cascade.context_tail)
            for i, row in zip(rows, self._pieces.ids([texts[i] for i in rows]), strict=True)
        ]
        labels = [self.label_ids[document.labels[i]] if asked[i] else IGNORE for i in rows]
        return self._windowed(ids, labels)

    def _windowed(self, ids: list[list[int]], labels: list[int]) -> list[Example]:
        return [
            Example(window, labels[window.first : window.first + len(window.markers)])
            for window in make_windows(ids, self.windows)
        ]


_ASKED, _ASKED_BESIDE, _ASKED_ELSEWHERE = 0.95, 0.5, 0.08
"""Share of the appeals, of the content beside one, and of other content that a cascade asks about."""


def draw_asked(labels: Sequence[str], keep_label: str, rng: random.Random) -> npt.NDArray[np.bool_]:
    """Return a mask of the paragraphs that a cascade might ask about.

    They are drawn: an n-gram model has no doubts about what it was fitted to.
    """
    appeal = np.asarray([label != keep_label for label in labels])
    share = np.where(appeal, _ASKED, np.where(neighbourhood(appeal, 1), _ASKED_BESIDE, _ASKED_ELSEWHERE))
    asked: npt.NDArray[np.bool_] = np.asarray([rng.random() for _ in labels]) < share
    return asked


def collate(examples: Sequence[Example], pad_id: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pad to ``input_ids (B, T)``, ``markers (B, P)``, ``labels (B, P)``."""
    width = max(len(e.window.ids) for e in examples)
    slots = max(len(e.window.markers) for e in examples)
    ids = np.full((len(examples), width), pad_id, np.int64)
    markers = np.zeros((len(examples), slots), np.int64)
    labels = np.full((len(examples), slots), IGNORE, np.int64)
    for row, example in enumerate(examples):
        ids[row, : len(example.window.ids)] = example.window.ids
        markers[row, : len(example.window.markers)] = example.window.markers
        labels[row, : len(example.labels)] = example.labels
    return torch.from_numpy(ids), torch.from_numpy(markers), torch.from_numpy(labels)


def typical_inputs(
    featurizer: Featurizer, documents: Sequence[LabelledDocument], windows: int = 64
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return ids and markers of some windows of documents drawn evenly, in batches of four."""
    step = max(1, len(documents) // windows)
    chosen = [example for document in documents[::step] for example in featurizer.examples(document)[:1]]
    batches = [chosen[i : i + 4] for i in range(0, min(len(chosen), windows), 4)]
    return [collate(batch, featurizer.windows.pad_id)[:2] for batch in batches]


def drop_tokens(
    ids: torch.Tensor, rate: float, mask_id: int, special: Sequence[int], generator: torch.Generator
) -> torch.Tensor:
    """Return ``ids`` ``(B, T)`` with pieces replaced by ``mask_id``, special tokens never.

    No single word then decides alone, and pages that are seen often look different each time.
    """
    rates = torch.rand(len(ids), 1, generator=generator) * (2 * rate)
    hidden = torch.rand(ids.shape, generator=generator) < rates
    return torch.where(hidden & ~torch.isin(ids, torch.tensor(special)), mask_id, ids)


def make_batches(examples: Sequence[Example], batch_tokens: int, rng: random.Random) -> list[list[Example]]:
    """Group windows of like length into batches of at most ``batch_tokens`` padded tokens."""
    order = sorted(examples, key=lambda e: len(e.window.ids) + rng.random() * 16)
    batches: list[list[Example]] = []
    for example in order:
        if batches and (len(batches[-1]) + 1) * len(example.window.ids) <= batch_tokens:
            batches[-1].append(example)
        else:
            batches.append([example])
    rng.shuffle(batches)
    return batches
