"""In datatrove: a filter block."""

from __future__ import annotations

from datatrove.data import Document
from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.pipeline.writers.disk_base import DiskWriter

from boilerplate_clf.inference.classifier import Classifier


class BoilerplateFilter(BaseFilter):  # type: ignore[misc] # datatrove has no types
    """Takes the appeals out of every document's text, and drops documents of which too little is left.

    ``metadata["boilerplate_clf"]`` gets the number of paragraphs of each label that was taken out.

    Args:
        model: folder of a bundle; None is the shipped one.
        mode: see :class:`~boilerplate_clf.Mode`.
        least_chars: characters that must be left of a document.
        exclusion_writer: gets the documents that are dropped.
        batch_size: documents that share calls.
    """

    name = "🧹 boilerplate_clf"

    def __init__(
        self,
        model: str | None = None,
        mode: str | None = None,
        least_chars: int = 1,
        exclusion_writer: DiskWriter | None = None,
        batch_size: int = 32,
    ) -> None:
        """Load the model; a worker process loads it anew."""
        super().__init__(exclusion_writer, batch_size)
        self.classifier, self.least_chars = Classifier(model, mode=mode, threads=1), least_chars

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """Clean one document and say whether it is kept."""
        return self.filter_batch([doc])[0]

    def filter_batch(self, batch: list[Document]) -> list[bool | tuple[bool, str]]:
        """Clean several documents and say which are kept."""
        results: list[bool | tuple[bool, str]] = []
        found = self.classifier.predict_batch([doc.text for doc in batch])
        for doc, labelled in zip(batch, found, strict=True):
            clean = labelled.clean_text
            # All labels, also with 0: a Parquet writer takes its columns from the first document.
            taken = labelled.summary.appeals
            labels = [str(label) for label in labelled.labels if label != labelled.keep_label]
            doc.metadata["boilerplate_clf"] = {label: taken.get(label, 0) for label in labels}
            if len(clean.strip()) < self.least_chars:
                results.append((False, "nothing_left"))  # with its text as it was
                continue
            doc.text = clean
            results.append(True)
        return results
