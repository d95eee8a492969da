"""Reading documents: whatever a file holds, each of its lines gives one document or one error."""

import codecs
import io
import json
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boilerplate_clf.cli.inputs import CONTENT_KEYS, Record, chunks, parse_record, read_records
from boilerplate_clf.errors import InputError, InputTooLargeError, RecordError

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
documents = st.fixed_dictionaries({"text": st.text()}, optional={"id": values}).map(json.dumps)
lines = st.one_of(
    documents.map(str.encode),
    values.map(json.dumps).map(str.encode),
    st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")),
    st.sampled_from([b"", b" \t", b"\r", b"{", b"\xff", b"\x00", codecs.BOM_UTF8, b'{"text":\r"a"}']),
)


def read(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path, list(read_records([str(path)], recursive=False))


@given(st.lists(lines, max_size=6), st.booleans())
def test_every_line_of_jsonl_is_a_document_or_an_error(tmp_path_factory, given_lines, ended):
    data = b"\n".join(given_lines) + b"\n" * ended
    path, found = read(tmp_path_factory.mktemp("in"), "a.jsonl", data)
    places = [f"{path}:{i}" for i, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    assert [x.source if isinstance(x, Record) else str(x).split(": ")[0] for x in found] == places
    for x, line in zip(found, (line for line in data.split(b"\n") if line.strip()), strict=True):
        if isinstance(x, Record) and isinstance(x.document, str):
            assert json.loads(line.decode("utf-8-sig"))["text"] == x.document
        elif not isinstance(x, Record):
            assert isinstance(x, InputError) and "\n" not in str(x)


@given(st.dictionaries(st.sampled_from([*CONTENT_KEYS[:2], "id"]), values, max_size=3))
def test_any_object_is_a_record_or_says_what_it_lacks(value):
    try:
        record = parse_record(json.dumps(value).encode(), "here:1")
    except RecordError as error:
        assert str(error).startswith("here:1: ")
    else:
        assert json.dumps(record.meta) == json.dumps({k: v for k, v in value.items() if k == "id"})


@given(st.binary(max_size=60))
def test_any_bytes_of_a_text_file_are_one_document_or_one_error(tmp_path_factory, data):
    path, found = read(tmp_path_factory.mktemp("in"), "a.txt", data)
    (only,) = found
    if isinstance(only, Record):
        assert only.document == data.removeprefix(codecs.BOM_UTF8).decode() and only.source == str(path)
    else:
        assert "not UTF-8" in str(only) and str(path) in str(only)


def test_blank_lines_before_piped_records_count(monkeypatch):
    data = b'\n\r\n{"text": "a"}\n\nnone\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    first, second = read_records(["-"], recursive=False)
    assert first.source == "-:3" and str(second).startswith("-:5: not JSON")


def test_many_blank_lines_before_piped_records_take_no_time(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n" * 10**6 + b'{"text": "a"}\n')))
    assert [record.source for record in read_records(["-"], recursive=False)] == ["-:1000001"]


@pytest.mark.parametrize("name", ["a.ndjson", "a.data", "pipe"])
def test_json_lines_are_known_by_name_or_by_their_first_line(tmp_path, name):
    (only,) = read(tmp_path, name, b'{"text": "Der Rat tagt."}\n')[1]
    assert only.document == "Der Rat tagt."


def test_what_a_run_writes_is_no_input_of_it(tmp_path):
    for name in ("a.txt", "labels.jsonl"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "link.jsonl").symlink_to("labels.jsonl")
    found = read_records([str(tmp_path)], recursive=True, leave_out=[tmp_path / "x" / ".." / "labels.jsonl"])
    assert [record.source for record in found] == [str(tmp_path / "a.txt")]


def test_names_and_folders_that_cannot_be_read_do_not_stop_the_others(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("Der Rat tagt.")
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    long, locked, read_one = read_records(["n" * 300, str(tmp_path)], recursive=True)
    assert "too long" in str(long) and str(locked) == f"{tmp_path / 'locked'}: Permission denied"
    assert read_one.document == "Der Rat tagt."


def test_deep_nesting_and_numbers_without_end(tmp_path):
    hostile = [b"[" * 10**5, b'{"text": ' + b"9" * 10**5 + b"}", b'{"a":' * 10**5, b'{"text": "a"}']
    *errors, last = read(tmp_path, "a.jsonl", b"\n".join(hostile))[1]
    assert [isinstance(e, RecordError) for e in errors] == [True] * 3 and last.document == "a"


def test_an_endless_line_does_not_hide_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr("boilerplate_clf.cli.inputs.MAX_RECORD_BYTES", 20)
    data = b'{"text": "kurz"}\n{"text": "' + b"x" * 10**6 + b'"}\n{"text": "auch"}\n' + b"y" * 100
    one, long, two, last = read(tmp_path, "a.jsonl", data)[1]
    assert (one.document, two.document) == ("kurz", "auch")
    assert isinstance(long, InputTooLargeError) and isinstance(last, InputTooLargeError)
    assert str(long).startswith(f"{tmp_path / 'a.jsonl'}:2: ")


@pytest.mark.parametrize("number", [0, 1, 4, 5, 9])
def test_chunks_lose_nothing(number):
    given_records = [Record(str(i), "") for i in range(number)]
    made = list(chunks(given_records, 4, 10))
    assert [r for chunk in made for r in chunk] == given_records
    assert all(len(chunk) == 4 for chunk in made[:-1])


def test_chunks_hold_no_more_than_they_may():
    texts = ["x" * 6, ["x", "xx"], "x", "x" * 99, "", InputError("none")]
    given_records = [t if isinstance(t, InputError) else Record("", t) for t in texts]
    assert [len(chunk) for chunk in chunks(iter(given_records), 4, 10)] == [3, 1, 2]


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(st.lists(st.tuples(cells, cells), max_size=6))
def test_any_table_is_read_back_by_annotate(tmp_path_factory, rows):
    import csv

    pytest.importorskip("fsspec", reason="the extra 'annotate' is not installed")
    from boilerplate_clf.annotate.inputs import find_inputs, read_chunks

    path = tmp_path_factory.mktemp("in") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "id"), *rows])
    (source,) = find_inputs([str(path)])
    found = [row for chunk in read_chunks(source, 2) for row in chunk.rows]
    assert found == [{"text": text, "id": name} for text, name in rows]


@given(st.lists(lines, max_size=6))
def test_any_lines_are_records_or_errors_in_their_place_for_annotate(tmp_path_factory, given_lines):
    pytest.importorskip("fsspec", reason="the extra 'annotate' is not installed")
    from boilerplate_clf.annotate.inputs import find_inputs, read_chunks

    path = tmp_path_factory.mktemp("in") / "a.jsonl"
    data = b"\n".join(given_lines)
    path.write_bytes(data)
    (source,) = find_inputs([str(path)])
    made = list(read_chunks(source, 2))
    numbers = [i for i, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    assert sum(map(len, made)) == len(numbers)
    for place, number in enumerate(numbers):
        chunk = made[place // 2]
        error = chunk.errors.get(place % 2)
        assert error is None or error.startswith(f"file://{path}:{number}: ")
