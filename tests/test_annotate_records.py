"""One chunk of a data set: what is wrong with a record is that record's affair."""

import pytest

pytest.importorskip("pyarrow", reason="the extra 'annotate' is not installed")

import pyarrow as arrow

from boilerplate_clf.annotate.inputs import Chunk
from boilerplate_clf.annotate.records import Column, annotate


def test_a_document_that_is_too_large_is_told_among_the_others(classifier, monkeypatch):
    monkeypatch.setattr("boilerplate_clf.inference.classifier.MAX_DOCUMENT_CHARS", 30)
    rows = [{"text": "Der Rat tagt."}, {"text": "x" * 31}, {"text": None}, {"text": "Es regnet."}]
    found = annotate(Chunk(rows), Column(), classifier)
    assert found["clean_text"] == ["Der Rat tagt.", None, None, "Es regnet."]
    assert found["error"][1].startswith("31 characters: at most 30") and "no 'text'" in found["error"][2]
    assert found["error"][0] is found["error"][3] is found["paragraphs"][1] is None


def test_a_table_without_the_column(classifier):
    table = arrow.record_batch({"body": ["Der Rat tagt.", "Es regnet."]})
    assert annotate(Chunk(table=table), Column(), classifier)["error"] == ["no 'text' in this record"] * 2
    assert annotate(Chunk(table=table), Column("body"), classifier)["error"] == [None] * 2
