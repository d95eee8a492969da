"""The result object: cleaning and schema."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boilerplate_clf.errors import InputError
from boilerplate_clf.inference.decide import Decider, Reason
from boilerplate_clf.inference.document import Document, ModelInfo, Paragraph
from boilerplate_clf.text import split_paragraphs

INFO = ModelInfo("test", "1")
LABELS = ("content", "donation_request")
DECIDER = Decider(
    LABELS,
    0,
    {"careful": {"donation_request": 0.9}, "balanced": {"donation_request": 0.6}},
    {"donation_request": [(0.3, 0.7), (0.7, 0.95)]},
)


def document(text, removed):
    paragraphs = []
    for index, (start, end) in enumerate(split_paragraphs(text)):
        label = "donation_request" if index in removed else "content"
        likely = 0.75 if index in removed else 0.25
        scores = {"content": 1 - likely, "donation_request": likely}
        paragraphs.append(
            Paragraph(
                index, start, end, text[start:end], label, scores[label], scores, label, Reason.LIKELIEST
            )
        )
    return Document(paragraphs, text, INFO, DECIDER, "balanced")


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
    assert list(value) == ["source", "model", "mode", "summary", "paragraphs", "meta"]
    assert value["model"] == {"name": "test", "version": "1"}
    keys = ["index", "start", "end", "text", "label", "score", "scores", "raw_label", "reason"]
    assert list(value["paragraphs"][1]) == keys
    assert value["paragraphs"][1]["label"] == "donation_request"
    assert value["paragraphs"][1]["reason"] == "likeliest"
    assert "meta" not in document("Eins", set()).to_dict()


def test_sequence_behaviour():
    result = document("Eins\nSpende!\nZwei", {1})
    assert len(result) == 3 and result[1].text == "Spende!" and [p.index for p in result[1:]] == [1, 2]
    assert [p.text for p in result.removed] == ["Spende!"]
    assert "donation_request: 1" in repr(result)


def test_rethreshold():
    before = document("Eins\nSpende!", {1})
    careful = before.rethreshold("careful")
    assert [p.label for p in careful] == ["content", "content"]
    assert careful[1].raw_label == "donation_request" and careful[1].reason == "below_threshold"
    assert careful[1].score == 0.25 and careful.mode == "careful" and careful.clean_text == "Eins\nSpende!"
    assert [p.label for p in careful.rethreshold("balanced")] == [p.label for p in before]
    assert [p.label for p in careful.rethreshold("best-guess")] == ["content", "donation_request"]
    assert len(document("", set()).rethreshold("careful")) == 0


def test_precision_target():
    before = document("Eins\nSpende!", {1})
    assert [p.label for p in before.rethreshold(precision_target=0.9)] == ["content", "donation_request"]
    # Not reached by any threshold: the label is not given.
    nothing = before.rethreshold(precision_target=0.99)
    assert [p.label for p in nothing] == ["content", "content"] and nothing.mode == "precision>=0.99"
    assert DECIDER.rule(precision_target=0.5) == [1.01, 0.3]
    # A threshold below one half gives the label though content is likelier.
    assert document("Eins", set()).rethreshold(precision_target=0.5)[0].label == "content"


@pytest.mark.parametrize(
    ("mode", "target", "message"),
    [
        ("wild", None, "careful, balanced, best-guess"),
        (None, None, "either"),
        ("careful", 0.9, "either"),
        (None, 0.0, "between 0 and 1"),
        (None, 1.5, "between 0 and 1"),
        (None, float("nan"), "between 0 and 1"),
    ],
)
def test_bad_modes(mode, target, message):
    with pytest.raises(InputError, match=message):
        document("Eins", set()).rethreshold(mode, precision_target=target)
