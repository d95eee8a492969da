"""For dolma: attributes beside documents, from which its mixer filters spans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from boilerplate_clf.inference.classifier import Classifier

PREFIX = "boilerplate_clf__v1__"
"""Of attribute names: tagger, version, attribute, as dolma's own taggers name theirs."""


def attributes(documents: Iterable[Mapping[str, Any]], classifier: Classifier) -> Iterator[dict[str, Any]]:
    """Yield a line of an attributes file for each dolma document (``id`` and ``text``), in order.

    An attribute is a list of ``[start, end, score]``: one per paragraph of its label, offsets in characters.
    Write them to the same name under ``attributes/NAME/`` as the documents have under ``documents/``.
    """
    pending: list[Any] = []

    def texts() -> Iterator[str]:
        for document in documents:
            pending.append(document["id"])
            yield document["text"]

    for found in classifier.predict_batch(texts()):
        spans: dict[str, list[list[float]]] = {}
        for p in found.removed:
            spans.setdefault(f"{PREFIX}{p.label}", []).append([p.start, p.end, round(p.score, 6)])
        yield {"id": pending.pop(0), "attributes": spans}
