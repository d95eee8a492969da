"""The labelled data of a run: read, checked, cleaned of leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boilerplate_clf.errors import DataError
from boilerplate_clf.files import sha256_file
from boilerplate_clf.training.config import PipelineConfig
from boilerplate_clf.training.data import LabelledDocument, count_labels, read_labelled
from boilerplate_clf.training.leakage import find_leaks, refuse_pages, without_leaks
from boilerplate_clf.training.negatives import mine


@dataclass(frozen=True)
class TrainingData:
    """What may be trained on."""

    pages: list[LabelledDocument]
    blocks: list[LabelledDocument]
    """Mined negatives included."""
    lines: list[LabelledDocument]
    """For the n-gram model only."""
    carriers: list[LabelledDocument]
    facts: dict[str, Any]
    """For the record; ``lines`` are not among them."""


def read_files(paths: Sequence[Path], labels: Sequence[str]) -> list[LabelledDocument]:
    """Return the labelled documents of several files.

    Raises:
        DataError: a file is missing or cannot be used.
    """
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: no such file: the configuration asks for it")
    return [document for path in paths for document in read_labelled(path, labels)]


def evaluation_data(config: PipelineConfig) -> list[LabelledDocument]:
    """Return everything that training text must not repeat."""
    return read_files((config.data.dev, *config.data.never_train), config.labels)


def training_data(config: PipelineConfig) -> TrainingData:
    """Read everything that is trained on, checked and cleaned of leaks.

    Raises:
        LeakageError: a page or publisher of the evaluation data is in the training data.
    """
    data = config.data
    pages, blocks = read_files(data.pages, config.labels), read_files(data.blocks, config.labels)
    lines = read_files(data.lines, config.labels)
    refuse_pages(pages + blocks + lines, read_files((data.dev,), config.labels))
    seed = config.finetune.seed
    negatives = mine(data.negatives.paths, data.negatives.count, seed, topical=True)
    carriers = mine(data.carriers.paths, data.carriers.count, seed, topical=False, length=14)
    leaks = find_leaks([*pages, *blocks, *lines, *negatives, *carriers], evaluation_data(config))
    pages, blocks, lines, negatives, carriers = (
        without_leaks(part, leaks) for part in (pages, blocks, lines, negatives, carriers)
    )
    files = (*data.pages, *data.blocks, data.dev, *data.never_train)
    facts = {
        "data": {path.name: sha256_file(path) for path in files},
        "labels": {"pages": count_labels(pages), "blocks": count_labels(blocks)},
        "mined": {"negatives": len(negatives), "carriers": len(carriers)},
        "near_duplicates_removed": len(leaks),
    }
    return TrainingData(pages, blocks + negatives, lines, carriers, facts)
