"""From a request to its answer, without HTTP: limits, the model, the options, the schema."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any, TypeVar

from pydantic_core import to_json

from boilerplate_clf import __version__
from boilerplate_clf.errors import InputError, MissingExtraError
from boilerplate_clf.html.extract import Metadata, extract
from boilerplate_clf.inference.classifier import Classifier
from boilerplate_clf.inference.decide import Mode
from boilerplate_clf.inference.document import Document
from boilerplate_clf.serve.batching import Batcher, Input
from boilerplate_clf.serve.errors import ApiError, ErrorType, from_input
from boilerplate_clf.serve.metrics import Metrics
from boilerplate_clf.serve.schemas import MANY, CleanRequest, DocumentIn, PredictRequest
from boilerplate_clf.serve.settings import Limits
from boilerplate_clf.text import split_paragraphs

_HTML_THREADS = 2
_CANARY = "Der Rat tagt am Montag."
_PAGE = f"<html><body><article><p>{_CANARY}</p></article></body></html>"

R = TypeVar("R", bound=CleanRequest)
Answer = dict[str, Any]


@dataclass(frozen=True)
class Labelled:
    """A document of a request, and what became of it."""

    given: DocumentIn
    result: Document | ApiError


class Service:
    """Answers requests.

    Args:
        classifier: one for all requests.
        limits: of a request; those of its body are the app's affair.
        metrics: told of every document.
    """

    def __init__(self, classifier: Classifier, limits: Limits, metrics: Metrics) -> None:
        """Start the threads."""
        self.classifier, self._limits, self._metrics = classifier, limits, metrics
        self._batcher = Batcher(classifier, metrics.batch.observe)
        self._pages = ThreadPoolExecutor(_HTML_THREADS, "html")
        self._keep = str(classifier.labels[classifier.decider.keep])

    def close(self) -> None:
        """End the threads."""
        self._batcher.close()
        self._pages.shutdown(cancel_futures=True)

    async def ready(self) -> None:
        """Label a sentence."""
        await asyncio.wrap_future(self._batcher.predict(_CANARY))

    async def warm_up_html(self) -> None:
        """Import trafilatura, so that the first page does not wait for it."""
        await asyncio.get_running_loop().run_in_executor(self._pages, extract, _PAGE)

    async def predict(self, request: PredictRequest) -> bytes:
        """Return labelled documents, as JSON.

        Raises:
            ApiError: the request, or its only document, cannot be answered.
        """
        labelled = await self._label(request)
        if request.explain:
            labelled = await self._explain(labelled)
        return await asyncio.to_thread(_answer, request, labelled, self._document)

    async def clean(self, request: CleanRequest) -> bytes:
        """Return cleaned documents, as JSON.

        Raises:
            ApiError: as in :meth:`predict`.
        """
        labelled = await self._label(request)
        return await asyncio.to_thread(_answer, request, labelled, self._cleaned)

    def facts(self, html: bool) -> Answer:
        """Return what ``/v1/model`` tells."""
        classifier, decider = self.classifier, self.classifier.decider
        labels = [str(label) for label in classifier.labels]
        rules = {str(mode): decider.rule(mode) for mode in Mode}
        return {
            "version": __version__,
            "model": asdict(classifier.info),
            "labels": labels,
            "keep_label": self._keep,
            "mode": classifier.mode,
            "modes": {
                mode: None if rule is None else dict(zip(labels, rule, strict=True))
                for mode, rule in rules.items()
            },
            "html": html,
            "limits": asdict(self._limits),
        }

    async def _label(self, request: CleanRequest) -> list[Labelled]:
        if unknown := set(request.keep or ()) - set(self.classifier.labels):
            known = ", ".join(self.classifier.labels)
            message = f"{sorted(unknown)[0][:50]!r} is no label of this model: take some of {known}"
            raise ApiError(ErrorType.INVALID_REQUEST, message, "keep")
        if len(request.documents) > self._limits.documents:
            message = f"{len(request.documents):,} documents: at most {self._limits.documents:,} are taken"
            raise ApiError(ErrorType.TOO_LARGE, message, MANY)
        places: list[tuple[DocumentIn, str | None]] = [(request, None)]
        if request.many:
            places = [(given, f"{MANY}.{number}") for number, given in enumerate(request.documents)]
        results: Sequence[Document | ApiError]
        results = await asyncio.gather(*(self._one(given, place) for given, place in places))
        if request.mode is not None or request.precision_target is not None:
            results = await asyncio.to_thread(_decide, results, request)
        return [Labelled(given, result) for (given, _), result in zip(places, results, strict=True)]

    async def _one(self, given: DocumentIn, place: str | None) -> Document | ApiError:
        (name,) = given.given
        field = name if place is None else f"{place}.{name}"
        try:
            document, metadata = await self._input(given, field)
            labelled = await asyncio.wrap_future(self._batcher.predict(document))
        except ApiError as error:
            return error
        except (InputError, MissingExtraError) as error:
            return from_input(error, field)
        labelled.metadata = metadata
        return labelled

    async def _input(self, given: DocumentIn, field: str) -> tuple[Input, Metadata | None]:
        """Return what the model is given.

        Raises:
            ApiError: it is too large.
            InputError: it is no page.
        """
        content: Input = getattr(given, given.given[0])
        chars = len(content) if isinstance(content, str) else sum(map(len, content))
        if chars > self._limits.document_chars:
            message = f"{chars:,} characters: at most {self._limits.document_chars:,} are taken"
            raise ApiError(ErrorType.TOO_LARGE, message, field)
        metadata = None
        if "html" in given.given:
            loop = asyncio.get_running_loop()
            content, metadata = await loop.run_in_executor(self._pages, extract, given.html, given.url)
        count = len(content)  # of a text: no paragraph is shorter than a character
        if isinstance(content, str) and count > self._limits.paragraphs:
            count = await asyncio.to_thread(_count, content, self._limits.paragraphs + 1)
        if count > self._limits.paragraphs:
            message = f"more than {self._limits.paragraphs:,} paragraphs, which is the most that are taken"
            raise ApiError(ErrorType.TOO_LARGE, message, field)
        return content, metadata

    async def _explain(self, labelled: Sequence[Labelled]) -> list[Labelled]:
        found = [item.result for item in labelled if isinstance(item.result, Document)]
        count = sum(len(document.removed) for document in found)
        if count > self._limits.explained:
            message = (
                f"{count:,} paragraphs to explain: at most {self._limits.explained:,} are taken a request"
            )
            raise ApiError(ErrorType.TOO_LARGE, message, "explain")
        return [await self._explained(item) for item in labelled]

    async def _explained(self, item: Labelled) -> Labelled:
        if isinstance(item.result, ApiError):
            return item
        document = item.result
        paragraphs = list(document)
        for place, paragraph in enumerate(document):
            if paragraph.label != document.keep_label:
                # One paragraph a turn: others have theirs in between, and a request that is out of time ends.
                paragraphs[place] = await asyncio.wrap_future(self._batcher.explain(document, place))
        return replace(item, result=document.with_paragraphs(paragraphs))

    def _document(self, request: CleanRequest, given: DocumentIn, document: Document) -> Answer:
        self._metrics.count(document)
        result = document.to_dict(given.source, given.meta)
        if request.keep is not None:
            result["paragraphs"] = [p for p in result["paragraphs"] if p["label"] in request.keep]
        return result

    def _cleaned(self, request: CleanRequest, given: DocumentIn, document: Document) -> Answer:
        self._metrics.count(document)
        keep = set(request.keep or (self._keep,))
        # To cleaning there are two labels: the one that it keeps, and others.
        marked = [replace(p, label=self._keep if p.label in keep else "") for p in document]
        sides = document.with_paragraphs(marked)
        removal = sides.removal(given.source)
        for row in removal["removed"]:
            row["label"] = str(document[row["index"]].label)
        result = {
            "source": removal.pop("source"),
            "model": asdict(document.model),
            "mode": document.mode,
            "clean_text": sides.clean_text,
            **removal,
        }
        if "text" not in given.given:
            result["clean_paragraphs"] = sides.clean_paragraphs
        if document.metadata is not None:
            result["metadata"] = document.metadata.to_dict()
        if given.meta:
            result["meta"] = given.meta
        return result


def _count(text: str, most: int) -> int:
    """Return the number of a text's paragraphs, counted no further than ``most``."""
    return sum(1 for _ in islice(split_paragraphs(text), most))


def _decide(results: Sequence[Document | ApiError], request: CleanRequest) -> list[Document | ApiError]:
    return [
        result.rethreshold(request.mode, precision_target=request.precision_target)
        if isinstance(result, Document)
        else result
        for result in results
    ]


def _answer(
    request: R, labelled: Sequence[Labelled], make: Callable[[R, DocumentIn, Document], Answer]
) -> bytes:
    """Return the body: one document, or all of them with errors in the places of those that failed."""
    answers = []
    for item in labelled:
        if isinstance(item.result, Document):
            answers.append(make(request, item.given, item.result))
        elif not request.many:
            raise item.result
        else:
            answers.append(item.result.to_dict())
    return to_json({MANY: answers} if request.many else answers[0])
