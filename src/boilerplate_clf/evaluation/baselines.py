"""What a model has to beat: a keyword list, and TF-IDF with logistic regression."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from boilerplate_clf.extras import require
from boilerplate_clf.labels import LABELS, UNDECIDED, Label
from boilerplate_clf.training.data import LabelledDocument

_KEYWORDS: tuple[tuple[Label, tuple[str, ...]], ...] = (
    (
        Label.COMMENT_POLICY,
        (
            "netiquette",
            "kommentarfunktion",
            "kommentarregeln",
            "kommentar-?bereich",
            "um zu kommentieren",
            "kommentare? (werden|wird|zu verfassen|abzugeben|schreiben)",
            "kommentare sind geschlossen",
            "akismet",
            "e-mail-adresse wird nicht veröffentlicht",
            "freischaltung",
            "schimpfw",
        ),
    ),
    (
        Label.DONATION_REQUEST,
        (
            "jetzt spenden",
            "(ihre|deine|einer) spende",
            "spendenkonto",
            "spenden sie",
            "spendet? (an|für) uns",
            "unterstütz(en sie|e|t) (uns|unsere)",
            "fördermitglied",
            "paypal",
            r"\biban\b",
            "bankverbindung",
        ),
    ),
    (
        Label.SUBSCRIPTION_APPEAL,
        (
            "abonnieren",
            r"\b(monats|jahres|probe)?abo\b",
            "abonnement",
            "newsletter",
            "jederzeit kündbar",
            "monatlich kündbar",
            "weiterlesen mit",
            "e-?paper",
            "kostenlos testen",
            "bereits (kunde|abonnent)",
            "registrieren",
            "push-nachricht",
        ),
    ),
)


class KeywordBaseline:
    """The list that everybody writes first; no context, no training."""

    name = "keyword list"

    def __init__(self, labels: Sequence[str]) -> None:
        """Compile the patterns; labels that the model does not have are left out."""
        numbers = {name: i for i, name in enumerate(labels)}
        self._patterns = [
            (numbers[label.value], re.compile("|".join(words), re.IGNORECASE))
            for label, words in _KEYWORDS
            if label.value in numbers
        ]
        self._keep = numbers.get(Label.CONTENT.value, 0)

    def predict(self, documents: Sequence[LabelledDocument]) -> npt.NDArray[np.int64]:
        """Return one label index per paragraph of all documents."""
        return np.asarray([self._one(text) for d in documents for text in d.texts], np.int64)

    def _one(self, text: str) -> int:
        return next((index for index, pattern in self._patterns if pattern.search(text)), self._keep)


class TfidfBaseline:
    """Words, word pairs and character n-grams, with the neighbours' words as features of their own."""

    name = "TF-IDF + logistic regression"

    def __init__(self, labels: Sequence[str] = LABELS) -> None:
        """Build the pipeline."""
        self.labels = tuple(labels)
        text = require("train", "sklearn.feature_extraction.text")
        pipeline = require("train", "sklearn.pipeline")
        preprocessing = require("train", "sklearn.preprocessing")
        linear = require("train", "sklearn.linear_model")

        def column(index: int, vectorizer: Any) -> Any:
            pick = preprocessing.FunctionTransformer(lambda rows: [row[index] for row in rows])
            return pipeline.make_pipeline(pick, vectorizer)

        words = {"sublinear_tf": True, "min_df": 2}
        self._features = pipeline.FeatureUnion(
            [
                ("words", column(0, text.TfidfVectorizer(ngram_range=(1, 2), **words))),
                ("chars", column(0, text.TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **words))),
                ("before", column(1, text.TfidfVectorizer(**words))),
                ("after", column(2, text.TfidfVectorizer(**words))),
            ],
            transformer_weights={"before": 0.5, "after": 0.5},
        )
        self._model = linear.LogisticRegression(C=10.0, max_iter=200)

    def fit(self, documents: Sequence[LabelledDocument]) -> TfidfBaseline:
        """Train on all decidable paragraphs."""
        rows, labels = _rows(documents), [label for d in documents for label in d.labels]
        decided = [i for i, label in enumerate(labels) if label != UNDECIDED]
        matrix = self._features.fit_transform([rows[i] for i in decided])
        self._model.fit(matrix, [self.labels.index(labels[i]) for i in decided])
        return self

    def predict(self, documents: Sequence[LabelledDocument]) -> npt.NDArray[np.int64]:
        """Return one label index per paragraph of all documents."""
        return self._model.predict(self._features.transform(_rows(documents))).astype(np.int64)  # type: ignore[no-any-return]


def _rows(documents: Sequence[LabelledDocument]) -> list[tuple[str, str, str]]:
    """Return (paragraph, the one before, the one after) for every paragraph."""
    rows = []
    for document in documents:
        texts = ("", *document.texts, "")
        rows += list(zip(texts[1:-1], texts[:-2], texts[2:], strict=True))
    return rows
