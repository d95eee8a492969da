"""From labelled rows to a bundle: the stages of the pipeline, sized to a person's data."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from boilerplate_clf.bundle.load import load_bundle, shipped_encoder
from boilerplate_clf.bundle.manifest import MANIFEST
from boilerplate_clf.errors import BundleError, DataError, TrainingError
from boilerplate_clf.evaluation.metrics import confusion, f1_scores, gold_of
from boilerplate_clf.files import replace_folder, sha256_bytes, write_json
from boilerplate_clf.inference.classifier import Classifier
from boilerplate_clf.inference.decide import Mode
from boilerplate_clf.labels import CONTENT
from boilerplate_clf.retrain.check import check_rows, first_lines
from boilerplate_clf.retrain.rows import Row, group_rows, to_documents
from boilerplate_clf.retrain.split import split_rows
from boilerplate_clf.training.compose import ComposeConfig
from boilerplate_clf.training.config import DataConfig, PipelineConfig
from boilerplate_clf.training.data import LabelledDocument, write_labelled
from boilerplate_clf.training.finetune import FinetuneConfig
from boilerplate_clf.training.loop import Schedule
from boilerplate_clf.training.pipeline import STAGES, Pipeline
from boilerplate_clf.training.runs import read_stage

SHIPPED_BASE = "shipped"
"""Name of the encoder that comes with the package, as ``base``."""

_STATE = "train.json"
_CHARS_PER_TOKEN = 3.5
_BATCH_TOKENS = 1024
_LEAST_STEPS = 150


@dataclass(frozen=True)
class TrainOptions:
    """How a person's own data are trained on."""

    base: str = SHIPPED_BASE
    """Encoder to start from: :data:`SHIPPED_BASE`, a folder or a hub id."""
    keep_label: str = CONTENT
    epochs: float = 30.0
    """How often each row is seen; small data need many passes."""
    minutes: float = math.inf
    """Most wall time of the fine-tuning."""
    learning_rate: float = 4e-4
    folds: int = 5
    """One part of so many is set aside for measuring, where no split is given."""
    seed: int = 0


@dataclass(frozen=True)
class TrainResult:
    """What came out."""

    bundle: Path
    """Where the new bundle is."""
    labels: tuple[str, ...]
    measured_on: int
    """Labelled paragraphs that were set aside."""
    macro_f1: float
    """Of the new bundle (mode best-guess) on them."""
    baseline_macro_f1: float
    """Of the n-gram model alone (TF-IDF and logistic regression) on them."""
    previous_macro_f1: float | None
    """Of the bundle that stood there before; None: there was none."""
    replaced: bool
    """False: the older bundle is better on these data and was left; the new one lies beside it."""


def train(
    rows: Sequence[Row],
    output: Path,
    *,
    evaluation: Sequence[Row] = (),
    options: TrainOptions | None = None,
    force: bool = False,
    resume: bool = False,
) -> TrainResult:
    """Fine-tune an encoder on labelled rows and write a bundle.

    What is measured is the part that was set aside (or ``evaluation``), which also chooses the checkpoint
    and the thresholds: figures on it are a little too good.

    Args:
        rows: of :func:`~boilerplate_clf.retrain.tables.read_rows`.
        output: folder of the bundle; an older bundle there is replaced only by a better one.
        evaluation: rows to measure on, instead of setting some aside.
        options: of the training.
        force: train although :func:`~boilerplate_clf.retrain.check.check_rows` finds errors.
        resume: go on with a training of the same data that was killed.

    Raises:
        DataError: the data would give a worthless model, or cannot be split.
        TrainingError: there is something else at ``output``, or nothing to resume.
    """
    options = options or TrainOptions()
    report = check_rows([*rows, *evaluation], keep_label=options.keep_label)
    if report.errors and not force:
        raise DataError(f"the data are not fit for training: {first_lines(report)}")
    if output.exists() and not (output / MANIFEST).is_file():
        raise TrainingError(f"{output}: exists and is not a bundle: choose another folder")
    usable = [row for row in rows if row.text and row.weight]
    known = {row.label for row in usable if row.label}
    if options.keep_label not in known:
        raise DataError(
            f"no row has the label {options.keep_label!r}: add paragraphs to be kept, or name your label "
            "for them with --keep-label"
        )
    if evaluation:
        training, aside = usable, [row for row in evaluation if row.text]
    else:
        training, aside = split_rows(usable, folds=options.folds, seed=options.seed)
    labels = (options.keep_label, *sorted(known - {options.keep_label}))
    aside = [replace(row, label=row.label if row.label in known else "") for row in aside]
    run = output.with_name(f".{output.name}.training")
    config = _prepare(run, output.name, training, aside, labels, options, resume)
    work = Pipeline(config, run)
    for stage in STAGES:
        work.stage(stage)
    result = _install(run, output, to_documents(aside), labels)
    shutil.rmtree(run)
    return result


def _prepare(
    run: Path,
    name: str,
    training: Sequence[Row],
    aside: Sequence[Row],
    labels: tuple[str, ...],
    options: TrainOptions,
    resume: bool,
) -> PipelineConfig:
    """Write the data of a run and return its configuration; an unfinished run is kept for ``resume``.

    Raises:
        TrainingError: there is no unfinished run of these data and options.
    """
    data = [(row.text, row.label, row.document, row.position, row.weight) for row in (*training, *aside)]
    state = {"data": sha256_bytes(json.dumps(data).encode()), "options": asdict(options)}
    before = run / _STATE
    if resume:
        if not before.exists():
            raise TrainingError(f"{run}: no unfinished training: leave out --resume")
        if json.loads(before.read_text(encoding="utf-8")) != state:
            raise TrainingError(f"{run}: was begun with other data or options: leave out --resume")
    else:
        shutil.rmtree(run, ignore_errors=True)
    train_file, dev_file = run / "train.jsonl", run / "dev.jsonl"
    write_labelled(train_file, _weighted(training))
    write_labelled(dev_file, to_documents(aside))
    write_json(before, state)
    tokens = sum(len(row.text) / _CHARS_PER_TOKEN + 2 for row in training if row.label)
    steps = max(_LEAST_STEPS, round(options.epochs * tokens / _BATCH_TOKENS))
    return PipelineConfig(
        name=name,
        version="1",
        data=DataConfig(pages=(train_file,), dev=dev_file),
        base=str(shipped_encoder()) if options.base == SHIPPED_BASE else options.base,
        labels=labels,
        keep_label=options.keep_label,
        finetune=FinetuneConfig(
            schedule=Schedule(
                options.learning_rate, steps, options.minutes, warmup=0.1, checkpoint_minutes=0.5
            ),
            compose=ComposeConfig(content_page_share=1.0),
            batch_tokens=_BATCH_TOKENS,
            average_decay=0.99,
            evaluate_every=max(50, steps // 8),
            seed=options.seed,
        ),
    )


def _weighted(rows: Sequence[Row]) -> list[LabelledDocument]:
    """Return the documents, repeated as their heaviest row asks for, at least once."""
    documents = []
    for group in group_rows(rows):
        documents += to_documents(group) * max(1, *(round(row.weight) for row in group))
    return documents


def _install(
    run: Path, output: Path, aside: Sequence[LabelledDocument], labels: tuple[str, ...]
) -> TrainResult:
    """Put the new bundle in the old one's place if it is no worse on ``aside``, else beside it."""
    new = load_bundle(run / "bundle").path
    score = bundle_macro_f1(new, aside, labels)
    previous = None
    if (output / MANIFEST).is_file():
        try:
            previous = bundle_macro_f1(output, aside, labels)
        except BundleError:
            previous = None  # damaged, or of an older format: nothing that could be compared
    replaced = previous is None or score >= previous
    target = output if replaced else output.with_name(f"{output.name}-new")
    replace_folder(new, target)
    record = read_stage(run / "linear") or {}
    decided = sum(1 for document in aside for label in document.labels if label in labels)
    return TrainResult(target, labels, decided, score, record["dev"]["all"]["macro_f1"], previous, replaced)


def bundle_macro_f1(bundle: Path, documents: Sequence[LabelledDocument], labels: Sequence[str]) -> float:
    """Return the macro-F1 of a bundle's likeliest labels, over all decided paragraphs.

    Without thresholds, which few examples cannot fix well. A label that the bundle gives and ``labels``
    does not have is wrong wherever it stands.
    """
    classifier = Classifier(bundle, mode=Mode.BEST_GUESS)
    gold = gold_of(documents, labels)
    number = {name: index for index, name in enumerate(labels)}
    found = np.asarray(
        [
            number.get(str(paragraph.label), len(labels))
            for document in classifier.predict_batch([d.texts for d in documents])
            for paragraph in document
        ],
        np.int64,
    )[gold.decided]
    matrix = confusion(gold.index, found, len(labels) + 1)
    return float(f1_scores(matrix)[2][: len(labels)].mean())
