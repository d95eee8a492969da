"""Which phrases drove a label, and the HTML report."""

import html
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boilerplate_clf.inference.explain import split_phrases
from boilerplate_clf.report.html import render_html

from .conftest import ROOT

ARTICLE = (ROOT / "examples" / "artikel.txt").read_text(encoding="utf-8")


@given(st.text())
def test_phrases_cover_every_word_once(text):
    phrases = split_phrases(text)
    assert "".join("".join(text[a:b].split()) for a, b in phrases) == "".join(text.split())
    assert all(a < b for a, b in phrases)
    assert all(first[1] <= second[0] for first, second in pairwise(phrases))


def test_explanations_point_at_the_appeal(classifier):
    document = classifier.predict(
        "Der Rat tagt am Montag.\n"
        "Es regnete am Montag, bitte unterstützen Sie unsere unabhängige Redaktion mit einer Spende!"
    )
    explained = classifier.explain(document)
    assert [p.label for p in explained] == [p.label for p in document]
    assert explained[0].because == ()
    strongest = explained[1].because[0]
    assert "Spende" in strongest.text or "unterstützen" in strongest.text
    assert explained[1].text[strongest.start : strongest.end] == strongest.text
    assert "because" in explained[1].to_dict() and "because" not in document[1].to_dict()
    influences = [phrase.influence for phrase in explained[1].because]
    assert influences == sorted(influences, reverse=True) and min(influences) > 0


def test_lone_surrogates_can_be_explained(classifier):
    document = classifier.predict(["Bitte unterstützen Sie uns \ud800 mit einer Spende!"])
    assert document[0].label == "donation_request"
    assert classifier.explain(document)[0].because


def test_report_is_self_contained_and_complete(classifier):
    document = classifier.explain(classifier.predict(ARTICLE))
    page = "".join(render_html([("artikel.txt", document)]))
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n")
    assert "<script" not in page and not re.search(r"(src|href)=", page)
    text = html.unescape(re.sub(r"<[^>]+>", "", page))
    assert all(p.text in text for p in document)
    assert page.count('class="p removed"') == len(document.removed)
    assert page.count('class="p kept"') == len(document.kept)


def test_report_escapes_everything(classifier):
    nasty = "<script>alert(1)</script> & \"Zitat\" 'x'"
    page = "".join(render_html([(nasty, classifier.predict([nasty, "Jetzt spenden!", ""]))]))
    assert "<script" not in page and "&lt;script&gt;" in page


def test_report_of_nothing(classifier):
    assert "No documents" in "".join(render_html([]))
    assert "An empty document" in "".join(render_html([("leer.txt", classifier.predict(""))]))


@pytest.mark.parametrize("mode", ["careful", "balanced", "best-guess"])
def test_a_mode_of_the_classifier_is_a_rethreshold(mode):
    from boilerplate_clf import Classifier

    document = Classifier(mode=mode, threads=2).predict(ARTICLE)
    again = document.rethreshold("best-guess").rethreshold(mode)
    assert again.to_dict() == document.to_dict() and document.mode == mode
