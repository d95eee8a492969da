"""From labelled rows to a bundle: the stages of the pipeline, sized to a person's data."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from boilerplate_clf.bundle.load import Bundle, load_bundle, shipped_encoder
from boilerplate_clf.bundle.manifest import MANIFEST, NGRAMS
from boilerplate_clf.errors import BoilerplateClfError, BundleError, DataError, TrainingError
from boilerplate_clf.files import replace_folder, sha256_bytes, write_json
from boilerplate_clf.inference.decide import DEFAULT_MODE, Mode
from boilerplate_clf.labels import CONTENT
from boilerplate_clf.retrain.added import fit_added
from boilerplate_clf.retrain.check import check_rows, first_lines
from boilerplate_clf.retrain.extend import SHIPPED_BASE, bundle_to_extend, join
from boilerplate_clf.retrain.measure import bundle_macro_f1, ngrams_macro_f1
from boilerplate_clf.retrain.rehearsal import rehearsal
from boilerplate_clf.retrain.rows import Row, group_rows, to_documents
from boilerplate_clf.retrain.split import split_rows
from boilerplate_clf.training.assemble import BUNDLE
from boilerplate_clf.training.compose import ComposeConfig
from boilerplate_clf.training.config import DataConfig, PipelineConfig
from boilerplate_clf.training.data import LabelledDocument, write_labelled
from boilerplate_clf.training.finetune import FinetuneConfig
from boilerplate_clf.training.loop import Schedule
from boilerplate_clf.training.pipeline import Pipeline

_STATE = "train.json"
_CHARS_PER_TOKEN = 3.5
_BATCH_TOKENS = 1024
_LEAST_STEPS = 150


@dataclass(frozen=True)
class TrainOptions:
    """How a person's own data are trained on."""

    base: str = SHIPPED_BASE
    """Encoder to start from: :data:`SHIPPED_BASE`, a folder or a hub id. With ``extend`` the folder of the
    bundle whose labels are added to, in place of the shipped one."""
    extend: bool = False
    """Add the rows' labels to a model's own, which it goes on judging as before. Its encoder is not trained:
    epochs, minutes and learning rate say nothing then."""
    encoder: bool = True
    """False: the n-gram model alone (TF-IDF and logistic regression), in seconds."""
    keep_label: str = CONTENT
    """The label of what is kept."""
    epochs: float = 30.0
    """How often each row is seen; small data need many passes."""
    minutes: float = math.inf
    """Most wall time of the fine-tuning."""
    learning_rate: float = 4e-4
    """Of the fine-tuning."""
    folds: int = 5
    """One part of so many is set aside for measuring, where no split is given."""
    seed: int = 0
    """Of split and training."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, least in (("epochs", 0.1), ("minutes", 0.01), ("learning_rate", 1e-7), ("folds", 2)):
            if not getattr(self, name) >= least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if not self.keep_label:
            raise ValueError("keep_label must not be empty")


@dataclass(frozen=True)
class TrainResult:
    """What came out."""

    bundle: Path
    """Where the new bundle is."""
    labels: tuple[str, ...]
    """That were learnt, the one that is kept first; with ``extend`` it stands for all of the old model's."""
    measured_on: int
    """Labelled paragraphs that were set aside."""
    macro_f1: float
    """Of the new bundle on them: its likeliest labels, or with ``extend`` those of the default mode."""
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
    """Fine-tune an encoder on labelled rows, or add their labels to a model, and write a bundle.

    What is measured is the part that was set aside (or ``evaluation``). It also chooses the checkpoint and
    the thresholds of a fine-tuned encoder: figures on it are a little too good then. Added labels are not
    fitted to it in any way.

    Args:
        rows: of :func:`~boilerplate_clf.retrain.tables.read_rows`.
        output: folder of the bundle; an older bundle there is replaced only by a better one.
        evaluation: rows to measure on, instead of setting some aside.
        options: of the training.
        force: train although :func:`~boilerplate_clf.retrain.check.check_rows` finds errors.
        resume: go on with a training of the same data that was killed.

    Raises:
        DataError: the data would give a worthless model, cannot be split, or leave nothing to measure on.
        TrainingError: there is something else at ``output``, it is the current folder, or there is nothing
            to resume.
    """
    options = options or TrainOptions()
    output = _place(output)
    _check(_split_as_given(rows, evaluation), options, force)
    extended = bundle_to_extend(options.base) if options.extend else None
    if extended is not None:
        rows, evaluation = (_old_as_kept(part, extended, options.keep_label) for part in (rows, evaluation))
    usable = [row for row in rows if row.text and row.weight]
    known = {row.label for row in usable if row.label}
    _refuse_labels(known, options, extended)
    if evaluation:
        training, aside = usable, [row for row in evaluation if row.text]
    else:
        training, aside = split_rows(usable, folds=options.folds, seed=options.seed)
    if missing := known - {row.label for row in training}:
        raise DataError(
            f"label {min(missing)!r} has no row to train on: all of its rows are set aside for measuring or "
            "testing; add examples, or fill in the column of splits"
        )
    labels = (options.keep_label, *sorted(known - {options.keep_label}))
    aside = [replace(row, label=row.label if row.label in labels else "") for row in aside]
    if not any(row.label in labels for row in aside):
        files = ", ".join(sorted({row.where.rpartition(":")[0] or row.where for row in evaluation}))
        raise DataError(
            f"{files}: no row to measure on has one of the labels {', '.join(labels)}: fill in its labels, "
            "or name their column with --label-column"
        )
    run = output.with_name(f".{output.name}.training")
    _begin(run, training, aside, options, resume)
    new = run / BUNDLE
    try:
        if extended is None:
            work = Pipeline(_prepare(run, output.name, training, aside, labels, options), run)
            for stage in work.stages:
                work.stage(stage)
        else:
            new = run / "extended"
            shutil.rmtree(new, ignore_errors=True)
            _add(extended, run / BUNDLE, output.name, training, labels, options)
            join(extended, run / BUNDLE, new, output.name)
    except BoilerplateClfError:
        shutil.rmtree(run)  # unlike a killed training, this one would fail again
        raise
    same = [label for label in extended.labels if label != options.keep_label] if extended else []
    result = _install(new, run / BUNDLE / NGRAMS, output, to_documents(aside), labels, same)
    shutil.rmtree(run)
    return result


def _place(output: Path) -> Path:
    """Return where a bundle goes, under its own name: other folders are made beside it.

    Raises:
        TrainingError: it must not be replaced.
    """
    if output.is_symlink() or output.name in ("", ".."):
        output = output.resolve()
    if output.exists() and not (output / MANIFEST).is_file():
        raise TrainingError(f"{output}: exists and is not a bundle: choose another folder")
    if output.exists() and output.samefile("."):
        raise TrainingError(
            f"{output}: is the current folder, which would be replaced: go to another one first"
        )
    return output


def _check(rows: Sequence[Row], options: TrainOptions, force: bool) -> None:
    """Raise DataError where the data are not fit for training."""
    report = check_rows(rows, keep_label=options.keep_label)
    # Beside a model's own labels, a single new one is something to learn.
    errors = [f for f in report.errors if not (options.extend and f.kind == "one_label")]
    if errors and not force:
        raise DataError(f"the data are not fit for training: {first_lines(errors)}")


def _split_as_given(rows: Sequence[Row], evaluation: Sequence[Row]) -> list[Row]:
    """Return all rows with their split, so that the check finds what nearly stands on both sides."""
    if not evaluation:
        return list(rows)
    return [replace(row, split="train") for row in rows] + [replace(row, split="dev") for row in evaluation]


def _old_as_kept(rows: Sequence[Row], extended: Bundle, keep_label: str) -> list[Row]:
    """Relabel what has one of the old model's labels: to the new ones, all of that is something else."""
    return [replace(row, label=keep_label) if row.label in extended.labels else row for row in rows]


def _refuse_labels(known: set[str], options: TrainOptions, extended: Bundle | None) -> None:
    """Raise DataError where a model of these labels would make no sense."""
    keep = options.keep_label
    if extended is None:
        if keep not in known:
            raise DataError(
                f"no row has the label {keep!r}: add paragraphs to be kept, or name your label "
                "for them with --keep-label"
            )
        return
    if extended.manifest.keep_label != keep:
        raise DataError(
            f"the model that is extended keeps {extended.manifest.keep_label!r}, not {keep!r}: "
            "leave out --keep-label"
        )
    if not known - {keep}:
        raise DataError(
            f"no row has a label that {extended.manifest.name} lacks: to teach it other meanings of its own "
            "labels, train without --extend"
        )


def _begin(
    run: Path, training: Sequence[Row], aside: Sequence[Row], options: TrainOptions, resume: bool
) -> None:
    """Make the folder of a run; an unfinished run is kept for ``resume``.

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
    write_json(before, state)


def _add(
    extended: Bundle,
    folder: Path,
    name: str,
    training: Sequence[Row],
    labels: tuple[str, ...],
    options: TrainOptions,
) -> None:
    """Make the bundle of added labels; a killed run begins anew, since it takes a minute or two."""
    examples = [row.text for row in training if row.label and row.label != options.keep_label]
    pages, appeals = rehearsal(examples, options.keep_label, options.seed)
    fit_added(
        extended,
        _weighted(training),
        pages,
        appeals,
        labels,
        folder,
        name=name,
        encoder=options.encoder,
        seed=options.seed,
    )


def _prepare(
    run: Path,
    name: str,
    training: Sequence[Row],
    aside: Sequence[Row],
    labels: tuple[str, ...],
    options: TrainOptions,
) -> PipelineConfig:
    """Write the data of a run and return its configuration."""
    train_file, dev_file = run / "train.jsonl", run / "dev.jsonl"
    write_labelled(train_file, _weighted(training))
    write_labelled(dev_file, to_documents(aside))
    tokens = sum(len(row.text) / _CHARS_PER_TOKEN + 2 for row in training if row.label)
    steps = max(_LEAST_STEPS, round(options.epochs * tokens / _BATCH_TOKENS))
    return PipelineConfig(
        name=name,
        version="1",
        data=DataConfig(pages=(train_file,), dev=dev_file),
        base=str(shipped_encoder()) if options.base == SHIPPED_BASE else options.base,
        encoder=options.encoder,
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
    new: Path,
    ngrams: Path,
    output: Path,
    aside: Sequence[LabelledDocument],
    labels: tuple[str, ...],
    same: Sequence[str],
) -> TrainResult:
    """Put the new bundle in the old one's place if it is no worse on ``aside``, else beside it."""
    # The thresholds of added labels were fitted on rehearsal pages, too; without them, labels that are rare
    # there would hardly ever be the likeliest.
    mode = DEFAULT_MODE if same else Mode.BEST_GUESS
    score = bundle_macro_f1(load_bundle(new).path, aside, labels, same, mode)
    previous = None
    if (output / MANIFEST).is_file():
        try:
            previous = bundle_macro_f1(output, aside, labels, same, mode)
        except BundleError:
            previous = None  # damaged, or of an older format: nothing that could be compared
    replaced = previous is None or score >= previous
    target = output if replaced else output.with_name(f"{output.name}-new")
    replace_folder(new, target)
    baseline = ngrams_macro_f1(ngrams, aside, labels)
    decided = sum(1 for document in aside for label in document.labels if label in labels)
    return TrainResult(target, labels, decided, score, baseline, previous, replaced)
