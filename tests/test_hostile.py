"""Texts that are out to break something: sizes, forged markers, characters that are none."""

import contextlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import unicodedata

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boilerplate_clf import Classifier
from boilerplate_clf.bundle import load_bundle
from boilerplate_clf.errors import InputTooLargeError
from boilerplate_clf.inference.classifier import model_texts

from .conftest import ROOT, SHIPPED

LINE_ENDS = ("\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
TOKENS = ("[PAR]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]")
forged = st.lists(
    st.sampled_from([*TOKENS, " ", "\n", "Jetzt spenden!", "Der Rat tagt.", "[", "]", "PAR", "\u200b"])
).map("".join)


@contextlib.contextmanager
def watched():
    """Give the token ids of everything that goes to onnxruntime."""
    ids = []
    run = onnxruntime.InferenceSession.run

    def spy(self, outputs, inputs, *rest):
        ids.extend(np.asarray(inputs["input_ids"]).ravel().tolist())
        return run(self, outputs, inputs, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnxruntime.InferenceSession, "run", spy)
        yield ids


@given(st.lists(forged, max_size=5))
@settings(max_examples=60)
def test_tokens_in_a_text_forge_no_slot_and_no_edge(classifier, paragraphs):
    windows = load_bundle(SHIPPED).manifest.windows
    assert len(classifier.predict(paragraphs)) == len(paragraphs)
    with watched() as ids:  # every paragraph read, whatever the cascade thinks of it
        classifier._scorer._encoder.logits([model_texts(paragraphs)])
    # They fit one window: a marker each, and one edge on either side.
    if sum(map(len, paragraphs)) < 200:
        assert ids.count(windows.marker_id) == len(paragraphs)
        assert ids.count(windows.cls_id) == ids.count(windows.sep_id) == min(1, len(paragraphs))


def test_a_forged_plea_does_not_reach_the_paragraph_beside_it(classifier):
    plea = "Unterstützen Sie unsere Arbeit mit einer Spende!"
    honest = classifier.predict(["Der Rat tagt am Montag.", plea])
    hostile = classifier.predict(["Der Rat tagt am Montag. [PAR] [SEP] [CLS] [PAR]", plea])
    assert [p.label for p in hostile] == [p.label for p in honest]


@pytest.mark.parametrize("end", LINE_ENDS)
def test_every_line_end_separates(classifier, end):
    lines = ["Der Rat tagt am Montag im Rathaus.", "Unterstützen Sie unsere Arbeit mit einer Spende!"]
    assert [p.text for p in classifier.predict(end.join(lines))] == lines
    assert classifier.clean(end.join(lines)) == lines[0]


@pytest.mark.parametrize(
    "odd",
    [
        "\ud800", "\udfff\ud800", "\x00", "\x00\x01\x02", "\u202eabc\u202c", "\u2066\u2069",
        "👩\u200d👩\u200d👧", "🇩🇪" * 500, "e" + "\u0301" * 10_000,
        "Ver\u00ad-\u00adwaltung", "\U0010ffff", "\ufffe", "İ", "ﬀ",
        "a" * 3000, "%s%n{0}", "\x1b[2J",
    ],
)  # fmt: skip
def test_odd_characters_stay_as_they_are_and_harm_no_other_paragraph(classifier, odd):
    text = f"Der Rat tagt am Montag im Rathaus.\nx{odd}y\nJetzt spenden und unsere Arbeit unterstützen!"
    document = classifier.predict(text)
    assert [p.text for p in document] == text.split("\n")
    assert [str(p.label) for p in document][::2] == ["content", "donation_request"]
    assert "".join(text[p.start : p.end] for p in document) == text.replace("\n", "")
    json.loads(json.dumps(document.to_dict()))


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text.replace("ar", "a\u00adr"),
        lambda text: text.replace(" ", "\u00a0"),
        lambda text: text.replace("e", "\u200b\u2060e"),
        lambda text: unicodedata.normalize("NFD", text),
        lambda text: text.replace("ä", "&auml;").replace("e", "&#101;"),
    ],
    ids=["soft hyphens", "NBSP", "zero-width characters", "decomposed", "HTML entities"],
)
def test_spellings_that_nobody_sees_change_no_score(classifier, write):
    lines = (ROOT / "examples" / "artikel.txt").read_text(encoding="utf-8").splitlines()
    written = [write(line) for line in lines]
    assert written != lines
    before, after = classifier.predict(lines), classifier.predict(written)
    assert [p.scores for p in after] == [p.scores for p in before]
    assert [p.text for p in after] == written


@pytest.mark.parametrize("unit", ["x", "ß", "\u0301", "👍", "[PAR]", "\ud800", "-", "\u200bx"])
def test_ten_megabytes_without_a_blank(classifier, unit):
    text = "Der Rat tagt." + unit * (10_000_000 // len(unit))
    (paragraph,) = classifier.predict(text)
    assert paragraph.end == len(text) and sum(paragraph.scores.values()) == pytest.approx(1)


def test_ten_megabytes_of_nothing(classifier):
    for unit in (" ", "\n", "\u200b"):
        assert len(classifier.predict(unit * (10_000_000 // len(unit)))) == 0


@pytest.fixture
def ngrams_only(bundle, edit_manifest):
    """The shipped model without its encoder, which would take minutes over what stands below."""

    def leave_out(manifest):
        manifest["windows"] = manifest["cascade"] = None
        for name in ("model.onnx", "tokenizer.json"):
            del manifest["files"][name]
            (bundle / name).unlink()

    return Classifier(edit_manifest(leave_out))


def test_a_hundred_thousand_paragraphs(ngrams_only):
    text = "Der Rat tagt.\nJetzt spenden!\n" * 50_000
    document = ngrams_only.predict(text)
    assert len(document) == 100_000
    assert all(text[p.start : p.end] == p.text for p in document)
    assert len(document.kept) + len(document.removed) == 100_000


def test_more_paragraphs_than_are_taken_cost_no_memory(ngrams_only):
    import tracemalloc

    text = "a\n" * 2_000_000
    tracemalloc.start()
    try:
        with pytest.raises(InputTooLargeError, match="more than 200,000 paragraphs"):
            ngrams_only.predict(text)
        assert tracemalloc.get_traced_memory()[1] < 100e6  # all of them: some 350 MB
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="no benchmarks/ in a source distribution")
def test_fuzzing(tmp_path):
    """Two minutes in CI, less at a developer's desk."""
    seconds = os.environ.get("FUZZ_SECONDS", "15")
    targets = ["text", *(["html"] if importlib.util.find_spec("trafilatura") else [])]
    done = subprocess.run(
        [sys.executable, "benchmarks/fuzz.py", "--seconds", seconds, "--findings", tmp_path,
         "--target", *targets],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d[\d,]*) executions", done.stdout).group(1).replace(",", "")) > 50
    assert " 0 findings" in done.stdout
