"""Sharing one classifier among requests.

What waits while the model works is taken together when it is free again: under load calls grow by themselves,
and a single request never waits for others to come. Long documents go through a lane of their own, so that
they hold nobody up.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from boilerplate_clf.inference.classifier import Classifier
from boilerplate_clf.inference.document import Document, Paragraph
from boilerplate_clf.limits import BATCH_DOCUMENTS

Input = str | Sequence[str]

_LONG_CHARS = 50_000
_LONG_PARAGRAPHS = 1_000


def is_long(document: Input) -> bool:
    """Tell whether a document takes the model so long that others should not wait for it."""
    if isinstance(document, str):
        return len(document) > _LONG_CHARS or document.count("\n") > _LONG_PARAGRAPHS
    return len(document) > _LONG_PARAGRAPHS or sum(map(len, document)) > _LONG_CHARS


class Batcher:
    """Calls a classifier from two threads of its own: one for short documents, one for long work.

    A future that is cancelled before its turn costs nothing.

    Args:
        classifier: shared with whoever else has it.
        observe: told the size of every batch.
    """

    def __init__(self, classifier: Classifier, observe: Callable[[int], None]) -> None:
        """Start the threads."""
        self._classifier, self._observe = classifier, observe
        self._queue: deque[tuple[Input, Future[Document]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._long = ThreadPoolExecutor(1, "long")
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    def predict(self, document: Input) -> Future[Document]:
        """Queue a document."""
        if is_long(document):
            return self._long.submit(self._classifier.predict, document)
        future: Future[Document] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            self._queue.append((document, future))
            self._changed.notify()
        return future

    def explain(self, document: Document, place: int) -> Future[Paragraph]:
        """Queue the explanation of one paragraph."""
        return self._long.submit(self._explain, document, place)

    def close(self) -> None:
        """Finish what is queued and end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()
        self._long.shutdown(cancel_futures=True)

    def _explain(self, document: Document, place: int) -> Paragraph:
        keep = document.keep_label  # whose paragraphs are not explained
        others = [p if p.index == place else replace(p, label=keep) for p in document]
        return self._classifier.explain(document.with_paragraphs(others))[place]

    def _work(self) -> None:
        while batch := self._take():
            self._observe(len(batch))
            self._predict(batch)

    def _take(self) -> list[tuple[Input, Future[Document]]]:
        """Wait for documents; none: there will be no more."""
        batch: list[tuple[Input, Future[Document]]] = []
        with self._changed:
            while not batch:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return []
                while self._queue and len(batch) < BATCH_DOCUMENTS:
                    document, future = self._queue.popleft()
                    if future.set_running_or_notify_cancel():
                        batch.append((document, future))
        return batch

    def _predict(self, batch: Sequence[tuple[Input, Future[Document]]]) -> None:
        results: Iterator[Document] | None = None
        for number, (_, future) in enumerate(batch):
            try:
                if results is None:
                    results = self._classifier.predict_batch(document for document, _ in batch)
                future.set_result(next(results))
            except Exception as error:  # this document's fault: the generator is at its end, the rest goes on
                future.set_exception(error)
                if rest := batch[number + 1 :]:
                    self._predict(rest)
                return
