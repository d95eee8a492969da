"""The result object: cleaning and schema."""

import json

from hypothesis import given
from hypothesis import strategies as st

from boilerplate_clf.inference.document import Document, ModelInfo, Paragraph
from boilerplate_clf.text import split_paragraphs

INFO = ModelInfo("test", "1")


def document(text, removed):
    paragraphs = []
    for index, (start, end) in enumerate(split_paragraphs(text)):
        label = "donation_request" if index in removed else "content"
        scores = {"content": 0.25, "donation_request": 0.75}
        paragraphs.append(Paragraph(index, start, end, text[start:end], label, scores[label], scores))
    return Document(paragraphs, text, INFO)


def test_nothing_removed_gives_the_input_back():
    text = " \r\nEins\r\n\r\n  Zwei \n"
    assert document(text, set()).clean_text == text


def test_removed_paragraphs_go_with_their_line_break():
    text = "Eins\n\nSpende!\n\nZwei\nMehr spenden!\n"
    assert document(text, {1, 3}).clean_text == "Eins\n\nZwei\n"


def test_first_and_all_removed():
    assert document("Spende!\nEins\n", {0}).clean_text == "Eins\n"
    assert document("Spende!\nMehr!\n", {0, 1}).clean_text == ""


@given(
    st.lists(st.tuples(st.text("abÄ. ", min_size=1), st.booleans())), st.sampled_from(["\n", "\r\n", "\n\n"])
)
def test_clean_text_holds_exactly_the_kept_paragraphs(items, end):
    items = [(text, flag) for text, flag in items if text.strip()]
    text = end.join(t for t, _ in items)
    result = document(text, {i for i, (_, flag) in enumerate(items) if flag})
    cleaned = result.clean_text
    assert [cleaned[a:b] for a, b in split_paragraphs(cleaned)] == [p.text for p in result.kept]


def test_schema():
    value = document("Eins\nSpende!", {1}).to_dict("a.txt", {"id": 7})
    assert json.loads(json.dumps(value)) == value
    assert list(value) == ["source", "model", "paragraphs", "meta"]
    assert value["model"] == {"name": "test", "version": "1"}
    assert list(value["paragraphs"][1]) == ["index", "start", "end", "text", "label", "score", "scores"]
    assert value["paragraphs"][1]["label"] == "donation_request"
    assert "meta" not in document("Eins", set()).to_dict()


def test_sequence_behaviour():
    result = document("Eins\nSpende!\nZwei", {1})
    assert len(result) == 3 and result[1].text == "Spende!" and [p.index for p in result[1:]] == [1, 2]
    assert [p.text for p in result.removed] == ["Spende!"]
    assert "donation_request: 1" in repr(result)
