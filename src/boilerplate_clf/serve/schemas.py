"""What goes in and comes out, as pydantic models.

What comes out is made by :meth:`Document.to_dict` and its like, not by these models: they describe it,
``openapi.json`` is generated from them, and the tests hold the answers against them.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from boilerplate_clf.inference.decide import Mode, Reason
from boilerplate_clf.serve.errors import ErrorType

CONTENT_FIELDS = ("text", "paragraphs", "html")
"""A document has exactly one of them."""
MANY = "documents"


_DECISION = ("mode", "precision_target")


def _exactly_one(*names: str) -> ConfigDict:
    """Say of a schema what the ``_check_content`` of the models check."""

    def extra(schema: dict[str, Any]) -> None:
        schema["oneOf"] = [{"required": [name]} for name in names]
        for name in names:  # a default that stands for "not given" says nothing to a reader
            schema["properties"][name].pop("default")
        if MANY in names:
            schema["not"] = {"required": list(_DECISION)}

    return ConfigDict(json_schema_extra=extra)


class _Input(BaseModel):
    """Unknown fields are mistakes, and so is `1` for `true`."""

    model_config = ConfigDict(extra="forbid", strict=True)


class DocumentIn(_Input):
    """One document: exactly one of `text`, `paragraphs` and `html`."""

    model_config = _exactly_one(*CONTENT_FIELDS)

    text: str = Field("", description="A text; every line is a paragraph.")
    paragraphs: list[str] = Field([], description="The paragraphs, in reading order.")
    html: str = Field("", description="A page; its main text is found by trafilatura.")
    url: str | None = Field(None, description="Of the page; nothing is fetched from it.")
    source: str | None = Field(None, description="A name for the document; it comes back.")
    meta: dict[str, JsonValue] | None = Field(None, description="What you like; it comes back.")

    @field_validator("meta")
    @classmethod
    def _check_numbers(cls, meta: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
        try:
            json.dumps(meta, allow_nan=False)
        except ValueError:
            raise ValueError("a number is infinite, or none: JSON cannot give it back") from None
        return meta

    @model_validator(mode="after")
    def _check_content(self) -> DocumentIn:
        if len(self.given) != 1:
            raise ValueError("give exactly one of 'text', 'paragraphs' and 'html'")
        return self

    @property
    def given(self) -> list[str]:
        """Which of the content's fields the document has."""
        return [name for name in CONTENT_FIELDS if name in self.model_fields_set]


class CleanRequest(DocumentIn):
    """One document, or several under `documents`."""

    model_config = _exactly_one(*CONTENT_FIELDS, MANY)

    documents: list[DocumentIn] = Field(
        [], description="Several documents; each is answered with its result or its error, in order."
    )
    mode: Mode | None = Field(None, description="How sure the model must be; by default `balanced`.")
    precision_target: float | None = Field(
        None, gt=0, le=1, description="Instead of a mode: the least precision of each label, as measured."
    )
    keep: list[str] | None = Field(
        None,
        min_length=1,
        description="Only paragraphs with these labels come back; by default: of `predict` all, of `clean` "
        "what is content.",
    )

    @model_validator(mode="after")
    def _check_content(self) -> CleanRequest:
        if len(self.given) + self.many != 1:
            raise ValueError("give exactly one of 'text', 'paragraphs', 'html' and 'documents'")
        if self.model_fields_set.issuperset(_DECISION):
            raise ValueError("give either a mode or a precision_target")
        return self

    @property
    def many(self) -> bool:
        """Whether the answer is a list."""
        return MANY in self.model_fields_set


class PredictRequest(CleanRequest):
    """One document, or several under `documents`."""

    explain: bool = Field(
        False,
        description="Name the phrases that drove each label; takes four times as long on a usual page, "
        "twenty times on a short one full of appeals.",
    )


class _Output(BaseModel):
    """Nothing is left undescribed."""

    model_config = ConfigDict(extra="forbid")


class Error(_Output):
    """What is wrong."""

    type: ErrorType
    message: str
    field: str = Field("", description="Where in the request; absent if it is no field's fault.")


class ErrorBody(_Output):
    """The body of every answer that is not 200, and what stands in the place of a document that failed."""

    error: Error


class Model(_Output):
    """The model that made a prediction."""

    name: str
    version: str


class Summary(_Output):
    """The verdict on a whole document."""

    content_share: float = Field(description="Characters of content, as a share of all.")
    appeals: dict[str, int] = Field(description="Paragraphs of each label other than content.")
    cut_off: bool = Field(description="Whether the article looks cut off by a paywall.")
    evidence: list[str]


class Phrase(_Output):
    """A stretch of a paragraph, and what it does for the label."""

    start: int
    end: int
    text: str
    influence: float = Field(description="By how much the label's log odds fall without it.")


class Paragraph(_Output):
    """One paragraph with its label."""

    index: int
    start: int = Field(description="Code points; in a list: within the paragraph's own string.")
    end: int
    text: str
    label: str
    score: float = Field(description="Calibrated probability of the label.")
    scores: dict[str, float]
    raw_label: str = Field(description="The likeliest label, whatever the mode made of it.")
    reason: Reason
    because: list[Phrase] = Field([], description="Strongest first; absent unless explained.")


class Metadata(_Output):
    """What a page says about its article; absent is what it does not say."""

    title: str = ""
    author: str = ""
    date: str = ""
    site: str = ""
    url: str = ""
    accessible_for_free: bool = True


class _Result(_Output):
    source: str | None
    metadata: Metadata = Field(Metadata(), description="Of an HTML page only.")
    meta: dict[str, JsonValue] = Field({}, description="As in the request; absent if there was none.")


class Document(_Result):
    """A labelled document: what `Document.to_dict()` and `boilerplate-clf predict` give."""

    model: Model
    mode: str
    summary: Summary
    paragraphs: list[Paragraph]


class Removed(_Output):
    """A paragraph that is not in the cleaned text."""

    index: int
    start: int
    end: int
    text: str
    label: str
    score: float


class Cut(_Output):
    """A stretch that is not in the cleaned text, white space included."""

    start: int
    end: int
    text: str


class Cleaned(_Result):
    """A cleaned document, and what was taken out of it, as `boilerplate-clf clean --removed` tells it."""

    model: Model
    mode: str
    clean_text: str
    clean_paragraphs: list[str] = Field([], description="Of `paragraphs` and `html` only.")
    removed: list[Removed]
    cuts: list[Cut] = Field([], description="Of `text` only: the original can be made from them.")


class Documents(_Output):
    """Several documents, in the order of the request."""

    documents: list[Document | ErrorBody]


class CleanedDocuments(_Output):
    """Several documents, in the order of the request."""

    documents: list[Cleaned | ErrorBody]


class ModelFacts(_Output):
    """What the server runs, and what is needed to decide its scores anew."""

    version: str = Field(description="Of the package.")
    model: Model
    labels: list[str]
    keep_label: str = Field(description="The label of content.")
    mode: str = Field(description="The default.")
    modes: dict[Mode, dict[str, float] | None] = Field(
        description="Least probability of each label; null: the likeliest label is taken."
    )
    html: bool = Field(description="Whether the server reads HTML.")
    limits: dict[str, float]


class Health(_Output):
    """That the server is there."""

    status: str
