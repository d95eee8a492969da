"""What a model of one's own is worth by cross-validation, and what more labels would bring."""

from __future__ import annotations

import math
import random
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from boilerplate_clf.errors import DataError
from boilerplate_clf.evaluation.metrics import confusion, f1_scores
from boilerplate_clf.inference.classifier import Classifier
from boilerplate_clf.inference.decide import Mode
from boilerplate_clf.retrain.rows import Row, group_rows, to_documents
from boilerplate_clf.retrain.split import folds_of
from boilerplate_clf.retrain.train import TrainOptions, train
from boilerplate_clf.training.linear import LinearConfig, fit_linear, linear_scores

SHARES = (0.25, 0.5, 0.75, 1.0)
"""Parts of the rows that the n-gram model is fitted on; an encoder only on half and all of them."""


@dataclass(frozen=True)
class Point:
    """The cross-validated worth of one size of training data."""

    rows: int
    """Labelled rows that each fold was trained on (mean)."""
    macro_f1: float
    """Mean over the folds."""
    deviation: float
    """Standard deviation over the folds."""


@dataclass(frozen=True)
class LabelWorth:
    """How well one label is told, with all rows."""

    rows: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Curve:
    """A learning curve; its last point is the cross-validated report."""

    points: tuple[Point, ...]
    labels: dict[str, LabelWorth]

    def forecast(self, more: int) -> float | None:
        """Return the macro-F1 to be expected with ``more`` rows; None where the curve does not rise.

        A power law of the error, ``1 - f1 = a * rows ** -b`` (Hestness et al. 2017, "Deep Learning Scaling is
        Predictable, Empirically"), fitted by least squares of the logarithms. A rough guide.
        """
        sizes = [math.log(point.rows) for point in self.points]
        errors = [math.log(max(1e-3, 1 - point.macro_f1)) for point in self.points]
        slope, intercept = np.polyfit(sizes, errors, 1) if len(sizes) > 1 else (0.0, 0.0)
        if slope >= 0:
            return None
        last = self.points[-1]
        # From the last point on: what the fit misses there, it would miss later, too.
        shift = errors[-1] - (slope * sizes[-1] + intercept)
        return 1 - math.exp(slope * math.log(last.rows + more) + intercept + shift)


def learning_curve(rows: Sequence[Row], options: TrainOptions) -> Curve:
    """Cross-validate a model by documents, on growing parts of the rows.

    Args:
        rows: with labels; those without are left out.
        options: of the training; ``folds`` parts are measured on in turn, ``encoder`` says which model.

    Raises:
        DataError: fewer documents than folds, or a label on one side of a fold only.
    """
    labelled = [row for row in rows if row.text and row.label and row.weight]
    labels = sorted({row.label for row in labelled})
    folds = list(_folds(labelled, options.folds, options.seed))
    shares = (0.5, 1.0) if options.encoder else SHARES
    points, counts = [], np.zeros((len(labels), len(labels)), np.int64)
    with tqdm(total=len(shares) * len(folds), desc="cross-validation", unit="model") as bar:
        for share in shares:
            sizes, scores = [], []
            counts[:] = 0
            for number, (training, aside) in enumerate(folds):
                part = _part(training, share, options.seed + number)
                found = _predict(part, aside, labels, options)
                gold = np.asarray([labels.index(row.label) for row in aside], np.int64)
                matrix = confusion(gold, found, len(labels))
                counts += matrix
                sizes.append(len(part))
                # A label that a fold lacks says nothing about it.
                scores.append(float(f1_scores(matrix)[2][matrix.sum(axis=1) > 0].mean()))
                bar.update()
            deviation = statistics.stdev(scores)
            points.append(Point(round(statistics.fmean(sizes)), statistics.fmean(scores), deviation))
    columns = zip(*f1_scores(counts), strict=True)
    number_of = Counter(row.label for row in labelled)
    worth = {
        label: LabelWorth(number_of[label], *map(float, row))
        for label, row in zip(labels, columns, strict=True)
    }
    return Curve(tuple(points), worth)


def _folds(rows: Sequence[Row], folds: int, seed: int) -> Iterator[tuple[list[Row], list[Row]]]:
    """Yield (training, aside), by document and with labels spread evenly."""
    groups = [row.group for row in rows]
    if len(set(groups)) < folds:
        raise DataError(
            f"only {len(set(groups))} labelled documents: at least {folds} are needed, see --folds"
        )
    for training, aside in folds_of(rows, folds, seed):
        if len({row.label for row in training}) < 2:
            raise DataError("a fold has one label only: label more documents of the other ones")
        yield training, aside


def _part(rows: Sequence[Row], share: float, seed: int) -> list[Row]:
    """Return about a ``share`` of the rows: whole documents, of all labels alike."""
    groups = group_rows(rows)
    random.Random(seed).shuffle(groups)
    if share == 1:
        return [row for group in groups for row in group]
    taken: list[Row] = []
    by_label: dict[str, list[list[Row]]] = {}
    for group in groups:
        rarest = min((row.label for row in group), key=lambda label: sum(r.label == label for r in rows))
        by_label.setdefault(rarest, []).append(group)
    for some in by_label.values():
        for group in some[: max(1, round(share * len(some)))]:
            taken += group
    return taken


def _predict(
    training: Sequence[Row], aside: Sequence[Row], labels: Sequence[str], options: TrainOptions
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Train on some rows and return the label index of each of the others, in their order."""
    # One document after another, and back into the order of the rows.
    order = [row for group in group_rows(aside) for row in group]
    documents = to_documents(aside)
    if options.encoder:
        with tempfile.TemporaryDirectory(prefix="boilerplate-clf-") as folder:
            split = [replace(row, split="") for row in training]
            bundle = train(split, Path(folder) / "bundle", options=options, force=True).bundle
            classifier = Classifier(bundle, mode=Mode.BEST_GUESS)
            found = [
                labels.index(str(paragraph.label))
                for document in classifier.predict_batch([d.texts for d in documents])
                for paragraph in document
            ]
    else:
        model = fit_linear(to_documents(training), labels, LinearConfig())
        found = [int(i) for scores in linear_scores(model, documents) for i in scores.argmax(axis=1)]
    by_row = {id(row): index for row, index in zip(order, found, strict=True)}
    return np.asarray([by_row[id(row)] for row in aside], np.int64)
