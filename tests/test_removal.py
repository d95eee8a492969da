"""What was taken out is told, and can be put back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from boilerplate_clf.cli.main import app
from boilerplate_clf.inference.decide import Decider
from boilerplate_clf.inference.document import Document, ModelInfo, Paragraph
from boilerplate_clf.inference.removal import restore, restore_paragraphs
from boilerplate_clf.text import split_paragraphs

DECIDER = Decider(("content", "donation_request"), 0, {"careful": {}, "balanced": {}})
LINES = st.lists(
    st.sampled_from(["Ein Satz.", "Jetzt spenden!", "", "  ", "\t Noch einer \u2028da"]), max_size=9
)


def document(source, labels):
    spans = split_paragraphs(source) if isinstance(source, str) else [None] * len(source)
    paragraphs = []
    for index, span in enumerate(spans):
        start, end = (span.start, span.end) if span else (0, len(source[index]))
        text = source[start:end] if span else source[index]
        label = labels[index % len(labels)] if labels else "content"
        scores = {"content": 0.5, "donation_request": 0.5}
        paragraphs.append(Paragraph(index, start, end, text, label, 0.5, scores, label, "likeliest"))
    return Document(paragraphs, source, ModelInfo("m", "1"), DECIDER, "balanced")


@given(LINES, st.sampled_from(["\n", "\n\n", "\r\n"]), st.lists(st.sampled_from(DECIDER.labels), max_size=9))
def test_any_text_comes_back(lines, separator, labels):
    found = document(separator.join(lines), labels)
    row = json.loads(json.dumps(found.removal("a.txt")))
    assert restore(found.clean_text, row["cuts"]) == separator.join(lines)
    assert [r["index"] for r in row["removed"]] == [p.index for p in found.removed]
    assert all(one["end"] < two["start"] for one, two in zip(row["cuts"], row["cuts"][1:], strict=False))


@given(st.lists(st.text(max_size=5), max_size=9), st.lists(st.sampled_from(DECIDER.labels), max_size=9))
def test_any_list_comes_back(items, labels):
    found = document(items, labels)
    row = found.removal()
    assert "cuts" not in row
    assert restore_paragraphs(found.clean_paragraphs, row["removed"]) == items


def test_cuts_of_another_text_are_refused():
    with pytest.raises(ValueError, match="of another one"):
        restore("kurz", [{"start": 9, "text": "x"}])
    with pytest.raises(ValueError, match="of another one"):
        restore("lang genug", [{"start": 5, "text": "x"}, {"start": 2, "text": "y"}])
    with pytest.raises(ValueError, match="of another one"):
        restore_paragraphs(["a"], [{"index": 3, "text": "x"}])


def test_the_command_writes_them_beside_the_text(tmp_path):
    plea = "Unterstützen Sie unsere Arbeit mit einer Spende!"
    text = f"Der Rat tagt am Montag.\n\n{plea}\nDie Sitzung endete um 22 Uhr.\n"
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    (tmp_path / "b.txt").write_bytes(b"\xff")
    arguments = ["clean", str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]
    done = CliRunner().invoke(app, [*arguments, "--removed", str(tmp_path / "removed.jsonl")])
    assert done.exit_code == 1 and "b.txt: not UTF-8" in done.output
    (line,) = (tmp_path / "removed.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(line)
    assert row["source"] == str(tmp_path / "a.txt")
    assert [r["label"] for r in row["removed"]] == ["donation_request"] and row["removed"][0]["score"] > 0.5
    assert restore(done.stdout, row["cuts"]) == text
