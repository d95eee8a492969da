"""In tables: Hugging Face datasets, pandas, polars."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from boilerplate_clf.files import sha256_file
from boilerplate_clf.inference.classifier import Classifier


def clean_texts(texts: Iterable[str | None], classifier: Classifier) -> list[str | None]:
    """Return the content of each text; None stays None.

    pandas: ``frame["clean"] = clean_texts(frame["text"], classifier)``; polars:
    ``frame.with_columns(pl.Series("clean", clean_texts(frame["text"], classifier)))``.
    """
    # What a table takes for missing is None, or a number that is none.
    values = [text if isinstance(text, str) else None for text in texts]
    found = iter(classifier.predict_batch(text for text in values if text is not None))
    return [None if text is None else next(found).clean_text for text in values]


def batch_cleaner(
    classifier: Classifier, column: str = "text", into: str = "clean_text"
) -> Callable[[dict[str, list[Any]]], dict[str, list[Any]]]:
    """Return a function for ``datasets.Dataset.map(..., batched=True)``, with ``num_proc`` too.

    Args:
        classifier: is sent to the processes by its arguments; take ``threads=1`` with ``num_proc``.
        column: with texts.
        into: column that gets the content.
    """
    return BatchCleaner(classifier, column, into)


class BatchCleaner:
    """What :func:`batch_cleaner` returns: a class, so that other processes can get it."""

    def __init__(self, classifier: Classifier, column: str, into: str) -> None:
        """Hold the arguments."""
        self.classifier, self.column, self.into = classifier, column, into
        # datasets caches by what a function looks like: another model must look different.
        self.digest = sha256_file(classifier.bundle.manifest_path)

    def __call__(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Return the new column of a batch."""
        return {self.into: clean_texts(batch[self.column], self.classifier)}
