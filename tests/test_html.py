"""HTML pages in: paragraphs, metadata, the command line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

pytest.importorskip("trafilatura", reason="the extra 'html' is not installed")

from boilerplate_clf.cli.main import app
from boilerplate_clf.errors import InputError, InputTooLargeError, MissingExtraError
from boilerplate_clf.html import extract as extracting
from boilerplate_clf.html.extract import extract

PAGE = """<!doctype html><html lang="de"><head><meta charset="utf-8"><title>Brücke gesperrt | Talbote</title>
<meta property="og:title" content="Brücke gesperrt"><meta name="author" content="Ina Weck">
<meta property="article:published_time" content="2024-05-06T08:00:00+02:00">
<script type="application/ld+json">{"@type": "NewsArticle", "isAccessibleForFree": "False"}</script></head>
<body><nav><a href="/">Start</a> <a href="/abo">Abo</a></nav><article><h1>Brücke gesperrt</h1>
<p>Die Brücke über die Lahne bleibt bis zum Herbst gesperrt, wie die Stadt am Montag mitgeteilt hat.</p>
<p>Grund sind Risse in den Lagern, die bei der Prüfung im Frühjahr aufgefallen waren.</p>
<p>Weiterlesen mit Talbote Plus: Jetzt vier Wochen für einen Euro testen, danach 9,90 Euro im Monat.</p>
</article><footer>Impressum</footer></body></html>"""


def test_a_page_becomes_a_labelled_document(classifier):
    document = classifier.predict_html(PAGE, url="https://talbote.example/bruecke")
    texts = [p.text for p in document]
    assert any(text.startswith("Die Brücke über die Lahne") for text in texts) and "Impressum" not in texts
    assert [str(p.label) for p in document if "Talbote Plus" in p.text] == ["subscription_appeal"]
    metadata = document.metadata
    assert (metadata.title, metadata.author, metadata.date) == ("Brücke gesperrt", "Ina Weck", "2024-05-06")
    assert metadata.url == "https://talbote.example/bruecke" and metadata.accessible_for_free is False
    assert document.summary.cut_off and len(document.summary.evidence) == 2
    assert document.to_dict()["metadata"]["date"] == "2024-05-06"
    assert document.rethreshold("careful").metadata == metadata


def test_bytes_are_decoded_as_the_page_declares(classifier):
    latin = PAGE.replace("utf-8", "iso-8859-1").encode("iso-8859-1")
    assert [p.text for p in classifier.predict_html(latin)] == [p.text for p in classifier.predict_html(PAGE)]


def test_the_command_line_reads_pages(tmp_path):
    (tmp_path / "a.html").write_text(PAGE, encoding="utf-8")
    record = {"id": 7, "html": PAGE, "url": "https://talbote.example/"}
    (tmp_path / "b.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["predict", str(tmp_path), "--format", "jsonl"])
    assert done.exit_code == 0, done.output
    page, line = map(json.loads, done.stdout.splitlines())
    assert page["metadata"]["author"] == "Ina Weck" and page["summary"]["cut_off"]
    assert line["paragraphs"] == page["paragraphs"] and line["meta"] == {"id": 7, "url": record["url"]}
    done = CliRunner().invoke(app, ["clean", str(tmp_path / "a.html")])
    assert "Lahne" in done.stdout and "Talbote Plus" not in done.stdout


def test_what_is_no_page(classifier, monkeypatch):
    assert len(classifier.predict_html("")) == 0
    assert len(classifier.predict_html("<html></html>")) == 0
    with pytest.raises(InputError, match="not NoneType"):
        classifier.predict_html(None)
    monkeypatch.setattr(extracting, "MAX_HTML_CHARS", 10)
    with pytest.raises(InputTooLargeError, match="at most 10"):
        classifier.predict_html(PAGE)


def test_without_the_extra(classifier, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "trafilatura", None)
    with pytest.raises(MissingExtraError, match=r"boilerplate-clf\[html\]"):
        classifier.predict_html(PAGE)


@pytest.mark.parametrize(
    ("said", "free"),
    [
        ('"isAccessibleForFree": true', True),
        ('"isAccessibleForFree":"http://schema.org/False"', False),
        ('"isAccessibleForFree": true, "hasPart": {"isAccessibleForFree": false}', False),
        ("nichts", None),
    ],
)
def test_what_a_page_says_of_its_price(said, free):
    page = PAGE.replace('"isAccessibleForFree": "False"', said)
    assert extract(page)[1].accessible_for_free is free


@settings(max_examples=40)
@given(st.text(max_size=200))
def test_any_text_is_a_page(text):
    paragraphs, _ = extract(f"<html><body><p>{text}</p></body></html>")
    assert all(isinstance(p, str) and p for p in paragraphs)
