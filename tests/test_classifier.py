"""The Python API, with the shipped model."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boilerplate_clf import Classifier, Label
from boilerplate_clf.errors import BoilerplateClfError, InputError, InputTooLargeError

from .conftest import ROOT

ARTICLE = (ROOT / "examples" / "artikel.txt").read_text(encoding="utf-8")


def test_the_example_has_all_four_labels(classifier):
    found = {paragraph.label for paragraph in classifier.predict(ARTICLE)}
    assert found == set(Label)


def test_offsets_and_scores(classifier):
    document = classifier.predict(ARTICLE)
    for index, p in enumerate(document):
        assert p.index == index
        assert ARTICLE[p.start : p.end] == p.text
        assert p.score == p.scores[p.label]
        assert sum(p.scores.values()) == pytest.approx(1)
        assert set(p.scores) == set(Label)


def test_a_list_and_a_text_get_the_same_labels(classifier):
    as_text = classifier.predict(ARTICLE)
    as_list = classifier.predict([p.text for p in as_text])
    assert [p.label for p in as_text] == [p.label for p in as_list]
    assert all(p.start == 0 and p.end == len(p.text) for p in as_list)


def test_clean_gives_what_it_was_given(classifier):
    text = classifier.clean(ARTICLE)
    assert "Behelfsbrücke" in text and "Jetzt spenden" not in text
    lines = ARTICLE.splitlines()
    assert classifier.clean(lines) == text.splitlines()


def test_empty_inputs(classifier):
    assert len(classifier.predict("")) == 0
    assert classifier.clean("") == ""
    assert classifier.clean([]) == []
    blank = classifier.predict(["", "Der Rat tagt am Montag.", " \u00a0"])
    assert [p.label for p in blank] == [Label.CONTENT] * 3
    assert blank[0].score == 1.0


def test_a_single_short_paragraph(classifier):
    (paragraph,) = classifier.predict("Bitte unterstützen Sie unsere Arbeit mit einer Spende!")
    assert paragraph.label == "donation_request"


def test_batch_is_lazy_and_keeps_order(classifier):
    taken = []

    def documents():
        for number in range(1000):
            taken.append(number)
            yield f"Absatz Nummer {number} aus dem Rathaus.\nJetzt spenden!"

    results = classifier.predict_batch(documents())
    first = next(results)
    assert first[0].text.startswith("Absatz Nummer 0 ")
    assert len(taken) < 100
    assert next(results)[0].text.startswith("Absatz Nummer 1 ")


def test_batch_gives_what_single_calls_give(classifier):
    documents = [ARTICLE, "", ["Ein Absatz.", "Jetzt Abo abschließen"], ARTICLE[:700]]
    for one, many in zip(
        map(classifier.predict, documents), classifier.predict_batch(documents), strict=True
    ):
        assert one.to_dict() == many.to_dict()


def test_batch_hands_over_what_came_before_an_error(classifier):
    results = classifier.predict_batch(["Eins.", "Zwei.", 3, "Vier."])
    assert next(results)[0].text == "Eins."
    assert next(results)[0].text == "Zwei."
    with pytest.raises(InputError, match="not int"):
        next(results)


@pytest.mark.parametrize("value", [3, None, b"Bytes", [b"Bytes"], ["Text", None], {"a": "b"}])
def test_wrong_types(classifier, value):
    with pytest.raises(InputError):
        classifier.predict(value)


def test_too_large(classifier, monkeypatch):
    monkeypatch.setattr("boilerplate_clf.inference.classifier.MAX_DOCUMENT_CHARS", 10)
    with pytest.raises(InputTooLargeError, match="at most 10"):
        classifier.predict("Ein langer Absatz.")
    monkeypatch.setattr("boilerplate_clf.inference.classifier.MAX_PARAGRAPHS", 1)
    with pytest.raises(InputTooLargeError, match="more than 1 paragraphs"):
        classifier.predict("a\nb")


def test_special_tokens_in_a_text_are_text(classifier):
    document = classifier.predict("[SEP] [PAR] [CLS]\n[PAD][MASK][PAR]\nDer Rat tagt [PAR] am Montag.")
    assert len(document) == 3
    assert all(sum(p.scores.values()) == pytest.approx(1) for p in document)


@given(st.one_of(st.text(st.characters()), st.lists(st.text(st.characters()))))
@settings(max_examples=40)
def test_any_text_gets_one_label_per_paragraph(classifier, value):
    document = classifier.predict(value)
    if isinstance(value, str):
        assert all(value[p.start : p.end] == p.text for p in document)
    else:
        assert [value[p.index][p.start : p.end] for p in document] == [p.text for p in document]
        assert len(document) == len(value)


def test_long_document_and_long_paragraph(classifier):
    document = classifier.predict("Der Rat tagt am Montag im großen Saal.\n" * 400 + "x" * 200_000)
    assert len(document) == 401


def test_threads_share_one_classifier(classifier):
    expected = [p.label for p in classifier.predict(ARTICLE)]
    with ThreadPoolExecutor(4) as pool:
        for document in pool.map(classifier.predict, [ARTICLE] * 12):
            assert [p.label for p in document] == expected


def test_threads_must_be_positive():
    with pytest.raises(ValueError, match="at least 1"):
        Classifier(threads=0)


def test_all_errors_have_one_base():
    from boilerplate_clf import errors

    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    assert len(classes) > 10 and all(issubclass(c, BoilerplateClfError) for c in classes)


def test_inference_imports_nothing_heavy():
    code = (
        "import sys, boilerplate_clf; boilerplate_clf.Classifier().predict('Jetzt spenden!');"
        "heavy = {'torch', 'transformers', 'sklearn', 'datasets', 'pandas', 'scipy', 'onnx', 'matplotlib'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
