"""Training and prediction behind scikit-learn's interface, for cross-validation and grid search."""

from __future__ import annotations

import math
import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from boilerplate_clf.errors import DataError
from boilerplate_clf.inference.classifier import Classifier
from boilerplate_clf.inference.decide import Mode
from boilerplate_clf.labels import CONTENT
from boilerplate_clf.retrain.extend import SHIPPED_BASE
from boilerplate_clf.retrain.rows import Row
from boilerplate_clf.retrain.train import TrainOptions, train
from boilerplate_clf.training.data import writable


class ParagraphEstimator(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # sklearn has no types
    """Fine-tunes an encoder on paragraphs; each is judged by itself.

    A part of what ``fit`` gets is set aside for the choice of the checkpoint, so give it all that may be
    trained on. The fitted bundle lives in a temporary folder for as long as the estimator does; copy
    ``bundle_`` to keep it.

    Args:
        base: encoder to start from, see :class:`~boilerplate_clf.retrain.train.TrainOptions`.
        keep_label: the label of what is kept; None: "content" if there is one, else the most frequent.
        epochs: how often each paragraph is seen.
        minutes: most wall time of one fit.
        learning_rate: of the fine-tuning.
        seed: of split and training.
        encoder: False fits the n-gram model alone (TF-IDF and logistic regression).
    """

    def __init__(
        self,
        base: str = SHIPPED_BASE,
        keep_label: str | None = None,
        epochs: float = 30.0,
        minutes: float = math.inf,
        learning_rate: float = 4e-4,
        seed: int = 0,
        encoder: bool = True,
    ) -> None:
        """Store the parameters; nothing is read yet."""
        self.base, self.keep_label, self.epochs = base, keep_label, epochs
        self.minutes, self.learning_rate, self.seed = minutes, learning_rate, seed
        self.encoder = encoder

    def fit(
        self, X: Sequence[str], y: Sequence[str], groups: Sequence[Any] | None = None
    ) -> ParagraphEstimator:
        """Train on paragraphs.

        Args:
            X: texts.
            y: their labels.
            groups: documents of the texts: those of one document are read together, in their order.

        Raises:
            DataError: unequal lengths, or data that would give a worthless model.
        """
        if len(X) != len(y) or (groups is not None and len(groups) != len(X)):
            raise DataError(f"{len(X)} texts, but {len(y)} labels or another number of groups")
        names = [writable(str(label)) for label in y]  # as rows have them
        keep = self.keep_label
        if keep is None:
            keep = CONTENT if CONTENT in names else Counter(names).most_common(1)[0][0]
        rows = [
            Row(str(text), label, f"X[{i}]", "" if groups is None else str(groups[i]), float(i))
            for i, (text, label) in enumerate(zip(X, names, strict=True))
        ]
        options = TrainOptions(
            base=self.base,
            encoder=self.encoder,
            keep_label=keep,
            epochs=self.epochs,
            minutes=self.minutes,
            learning_rate=self.learning_rate,
            seed=self.seed,
        )
        folder = tempfile.mkdtemp(prefix="boilerplate-clf-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.bundle_ = train(rows, Path(folder) / "bundle", options=options).bundle
        self._classifier = Classifier(self.bundle_, mode=Mode.BEST_GUESS)
        self.classes_ = np.asarray(sorted(set(names)))
        return self

    def predict_proba(self, X: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return probabilities ``(texts, classes)``, columns as in ``classes_``."""
        check_is_fitted(self, "bundle_")
        documents = self._classifier.predict_batch([[str(text)] for text in X])
        values = [[document[0].scores[name] for name in self.classes_] for document in documents]
        return np.asarray(values, np.float64).reshape(len(values), len(self.classes_))

    def predict(self, X: Sequence[str]) -> npt.NDArray[np.str_]:
        """Return the likeliest label of each text."""
        best = self.predict_proba(X).argmax(axis=1)  # first: it says so where nothing is fitted
        found: npt.NDArray[np.str_] = self.classes_[best]
        return found
