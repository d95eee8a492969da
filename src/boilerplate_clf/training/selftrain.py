"""Self-training: an earlier model labels pages that nobody has labelled (Xie et al. 2020).

The teacher is that model with this run's n-gram model in place of its own, which has seen the newest
labelled data. A paragraph of which it is not sure becomes "?": context for its neighbours, asked of
nobody.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from boilerplate_clf.bundle import load_bundle
from boilerplate_clf.bundle.manifest import Manifest
from boilerplate_clf.errors import TrainingError
from boilerplate_clf.inference.repeats import pool_repeats
from boilerplate_clf.inference.session import Session
from boilerplate_clf.inference.windows import WindowConfig
from boilerplate_clf.labels import UNDECIDED
from boilerplate_clf.training.corpus import iter_documents
from boilerplate_clf.training.data import LabelledDocument, runs_of_appeals

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SelfTrainingConfig:
    """Which pages are labelled, and which of the labels are believed."""

    unlabelled: tuple[Path, ...] = ()
    """Documents as for pre-training; none: no self-training."""
    least_keep: float = 0.8
    """Probability from which "content" is believed."""
    least_appeal: float = 0.6
    """Probability from which any other label is believed."""
    margin: int = 6
    """Paragraphs of content kept on either side of what is not; the rest teaches little more."""
    keep_pages: int = 1200
    """Pages without any appeal that are kept, drawn evenly."""


def open_teacher(folder: Path, labels: Sequence[str]) -> tuple[Session, WindowConfig, Manifest]:
    """Return the encoder, its windows and the manifest of the teacher's bundle.

    Raises:
        BundleError: the bundle cannot be used.
        TrainingError: it has no encoder, or other labels.
    """
    teacher = load_bundle(folder)
    manifest = teacher.manifest
    if teacher.model is None or manifest.windows is None:
        raise TrainingError(f"the teacher {manifest.name} has no encoder")
    if manifest.labels != tuple(labels):
        raise TrainingError(f"the teacher {manifest.name} has labels {', '.join(manifest.labels)}")
    return Session(teacher.model, len(manifest.labels)), manifest.windows, manifest


def teacher_scores(
    teacher: Manifest, texts: Sequence[str], logits: npt.NDArray[Any], ngrams: npt.NDArray[Any]
) -> Floats:
    """Return the teacher's probabilities of a document's paragraphs, ``(paragraphs, labels)``.

    They are what its bundle would say if its n-gram model were the one given.

    Args:
        teacher: manifest of its bundle, with its chain.
        texts: the paragraphs.
        logits: of its encoder.
        ngrams: log probabilities of this run's n-gram model.
    """
    return teacher.chain.marginals([pool_repeats(texts, logits + teacher.ngram_weight * ngrams)])[0]


def read_unlabelled(paths: Sequence[Path]) -> list[LabelledDocument]:
    """Return the files' documents with every paragraph undecided."""
    return [
        LabelledDocument(f"{path.name}:{number}", path.name, tuple(texts), (UNDECIDED,) * len(texts))
        for path in paths
        for number, texts in enumerate(iter_documents(path), 1)
    ]


def label_pages(
    documents: Sequence[LabelledDocument],
    scores: Sequence[Floats],
    labels: Sequence[str],
    keep_label: str,
    config: SelfTrainingConfig,
    seed: int,
) -> list[LabelledDocument]:
    """Return the pages that are worth training on, with the labels that are believed.

    Args:
        documents: pages without labels.
        scores: per page, the teacher's probabilities ``(paragraphs, labels)``.
        labels: names of the columns.
        keep_label: the label of article text.
        config: what is believed and kept.
        seed: of the draw among pages without appeals.
    """
    keep = labels.index(keep_label)
    with_appeals, without = [], []
    for document, rows in zip(documents, scores, strict=True):
        best = rows.argmax(axis=1)
        least = np.where(best == keep, config.least_keep, config.least_appeal)
        believed = rows[np.arange(len(rows)), best] >= least
        found = tuple(labels[b] if sure else UNDECIDED for b, sure in zip(best, believed, strict=True))
        labelled = replace(document, labels=found)
        if runs_of_appeals(labelled, keep_label):
            with_appeals.append(_around_appeals(labelled, keep_label, config.margin))
        else:
            without.append(labelled)
    rng = random.Random(seed)
    drawn = rng.sample(without, min(config.keep_pages, len(without)))
    return with_appeals + drawn


def _around_appeals(page: LabelledDocument, keep_label: str, margin: int) -> LabelledDocument:
    wanted: set[int] = set()
    for start, stop in runs_of_appeals(page, keep_label):
        wanted.update(range(max(0, start - margin), min(len(page), stop + margin)))
    chosen = sorted(wanted)
    return replace(
        page,
        texts=tuple(page.texts[i] for i in chosen),
        labels=tuple(page.labels[i] for i in chosen),
    )
