"""Runs over data sets: every kind of input, every record accounted for, the same output after any crash."""

import csv
import gzip
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="the extra 'annotate' is not installed")
pytest.importorskip("pyarrow.parquet", reason="the extra 'annotate' is not installed")
pytest.importorskip("fsspec", reason="the extra 'annotate' is not installed")
pytest.importorskip("fastwarc", reason="the extra 'annotate' is not installed")

import fsspec
import pyarrow as arrow
import pyarrow.parquet as parquet
from typer.testing import CliRunner

from boilerplate_clf.annotate.inputs import find_inputs, read_chunks
from boilerplate_clf.annotate.job import JobOptions, run_job
from boilerplate_clf.annotate.outputs import Output
from boilerplate_clf.annotate.records import Column
from boilerplate_clf.annotate.warc import ends_whole
from boilerplate_clf.cli.main import app
from boilerplate_clf.errors import InputError, RunError

CONTENT = "Der Gemeinderat von Altbach hat am Montagabend den Umbau der Turnhalle {} beschlossen."
APPEAL = "Unterstützen Sie unsere unabhängige Arbeit: Jetzt spenden!"
PAGE = "<html><head><title>T</title></head><body><article><p>{}</p><p>{}</p></article></body></html>"


def text(number):
    return CONTENT.format(number) + (f"\n{APPEAL}" if number % 3 == 0 else "")


def records(number):
    return [{"id": i, "text": text(i), "tags": ["a", i]} for i in range(number)]


def as_jsonl(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def written(folder):
    """The rows of all parts, in order."""
    rows = []
    for path in sorted(Path(folder).glob("part-*")):
        if path.suffix == ".parquet":
            rows += parquet.read_table(path).to_pylist()
        else:
            rows += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return rows


def contents(folder):
    """Every file of a finished run."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_lines_of_json(tmp_path, form, ending):
    data = as_jsonl(records(7))
    with fsspec.open(str(tmp_path / f"a.{ending}"), "wb", compression="infer") as stream:
        stream.write(data)
    result = run_job([str(tmp_path / f"a.{ending}")], str(tmp_path / "out"), JobOptions(form=form, chunk=3))
    assert (result.documents, result.errors, result.parts) == (7, 0, 3)
    assert result.paragraphs == {"content": 7, "donation_request": 3}
    rows = written(tmp_path / "out")
    assert [row["text"] for row in rows] == [text(i) for i in range(7)]
    assert rows[3]["clean_text"] == CONTENT.format(3) and rows[3]["error"] is None
    last = rows[3]["paragraphs"][-1]
    assert text(3)[last["start"] : last["end"]] == APPEAL and last["label"] == "donation_request"
    assert rows[2]["tags"] == (["a", 2] if form == "jsonl" else '["a", 2]')
    assert json.loads((tmp_path / "out" / "_manifest.json").read_text())["finished"]["documents"] == 7


def test_csv_parquet_and_a_folder_of_both(tmp_path):
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["id", "body"], ["1", text(3)], ["2", "zu", "viel"], ["3", text(1)]])
    table = arrow.table({"body": [text(0), None], "when": arrow.array([1, 2], arrow.timestamp("s"))})
    parquet.write_table(table, tmp_path / "b.parquet")
    (tmp_path / "readme.md").write_text("x")
    result = run_job([str(tmp_path)], str(tmp_path / "out"), JobOptions(Column("body")))
    assert (result.documents, result.errors) == (5, 2)
    rows = written(tmp_path / "out")
    assert [row["error"] and row["error"].split(": ", 1)[-1] for row in rows] == [
        None, "row 3: 3 cells, the header has 2", None, None, "no 'body' in this record",
    ]  # fmt: skip
    assert rows[1]["raw"] == '["2", "zu", "viel"]' and rows[1]["clean_text"] is None
    assert rows[3]["clean_text"] == CONTENT.format(0) and rows[3]["when"].year == 1970


def warc(pages):
    from fastwarc.warc import WarcRecord, WarcRecordType

    stream = io.BytesIO()
    for number, (kind, page) in enumerate(pages):
        record = WarcRecord()
        record.init_headers(record_type=WarcRecordType.response)
        record.headers["WARC-Target-URI"] = f"https://example.org/{number}"
        record.headers["Content-Type"] = "application/http; msgtype=response"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(page)}\r\n\r\n"
        record.set_bytes_content(head.encode() + page)
        record.write(stream)
    return stream.getvalue()


@pytest.mark.parametrize("packed", [False, True])
def test_pages_of_a_warc_file(tmp_path, packed):
    pytest.importorskip("trafilatura", reason="the extra 'html' is not installed")
    page = PAGE.format(CONTENT.format(1), APPEAL).encode()
    data = warc([("text/html; charset=utf-8", page), ("image/png", b"\x89PNG"), ("text/html", b"")])
    path = tmp_path / ("a.warc.gz" if packed else "a.warc")
    path.write_bytes(gzip.compress(data) if packed else data)
    result = run_job([str(path)], str(tmp_path / "out"))
    assert (result.documents, result.errors) == (2, 0)
    first, second = written(tmp_path / "out")
    assert first["url"] == "https://example.org/0" and "html" not in first
    assert first["clean_text"] == CONTENT.format(1)
    span = first["paragraphs"][1]
    assert first["extracted_text"][span["start"] : span["end"]] == APPEAL
    assert second["clean_text"] == "" and second["paragraphs"] == []


def test_pages_and_paragraphs_in_columns(tmp_path):
    pytest.importorskip("trafilatura", reason="the extra 'html' is not installed")
    rows = [{"page": PAGE.format(CONTENT.format(1), APPEAL), "paragraphs": [CONTENT.format(2), APPEAL]}]
    rows.append({"page": 7, "paragraphs": "ein Text"})
    (tmp_path / "a.jsonl").write_bytes(as_jsonl(rows))
    for column, error in (
        (Column("page", "html"), "not int"),
        (Column("paragraphs", "paragraphs"), "not a list"),
    ):
        out = tmp_path / column.kind
        run_job([str(tmp_path / "a.jsonl")], str(out), JobOptions(column))
        good, bad = written(out)
        assert [p["label"] for p in good["paragraphs"]] == ["content", "donation_request"]
        assert error in bad["error"] and json.loads(good["input_paragraphs"]) == rows[0]["paragraphs"]


def test_bad_records_keep_their_place(tmp_path, monkeypatch):
    lines = [
        b'{"text": "Ein Satz."}',
        b"kein json",
        b"[1]",
        b'{"text": "\xff"}',
        b"",
        b'{"text": 7}',
        b'{"id": 3}',
    ]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([*lines, b'{"text": "' + b"x" * 500 + b'"}', lines[0]]))
    monkeypatch.setattr("boilerplate_clf.annotate.inputs.MAX_RECORD_BYTES", 300)
    run_job([str(tmp_path / "a.jsonl")], str(tmp_path / "out"), JobOptions(form="jsonl", chunk=2))
    rows = written(tmp_path / "out")
    found = [row["error"] and row["error"].split(": ", 1)[-1] for row in rows]
    assert found == [
        None, "not JSON: Expecting value: line 1 column 1 (char 0)", "not an object",
        "not UTF-8 (byte 10 of the line)", "'text' is int, not a text", "no 'text' in this record",
        "longer than 300 bytes", None,
    ]  # fmt: skip
    assert rows[1]["raw"] == "kein json\n" and rows[0]["clean_text"] == rows[-1]["clean_text"] == "Ein Satz."


REFUSED = {
    "nothing there": (["fehlt.jsonl"], "no such file"),
    "nothing that matches": (["*.jsonl"], "no such file"),
    "unknown kind": (["a.docx"], "unknown kind of file"),
    "mixed": (["a.warc", "b.csv"], "run twice"),
}


@pytest.mark.parametrize(("names", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_run(tmp_path, names, message):
    for name, data in (("a.docx", b"x"), ("a.warc", b""), ("b.csv", b"text\n")):
        (tmp_path / name).write_bytes(data)
    with pytest.raises(RunError, match=message):
        run_job([str(tmp_path / name) for name in names], str(tmp_path / "out"))


UNREADABLE = {
    "a.parquet": (b"x", 0, "not a readable Parquet file"),
    "a.jsonl.gz": (gzip.compress(as_jsonl(records(50)))[:-20], 0, "cannot be read"),
    "a.jsonl.zst": (b"x", 0, "cannot be read"),
    "a.csv": (b'text\nEin Satz.\n"' + b"x" * 400 + b'"\nNoch einer.\n', 1, "row 3: field larger"),
    "a.warc": (b"WARC/1.0 and no more", 0, "cannot be read"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_files_that_cannot_be_read_stop_no_others(tmp_path, monkeypatch, name):
    pytest.importorskip("trafilatura", reason="the extra 'html' is not installed")
    monkeypatch.setattr("boilerplate_clf.annotate.inputs.MAX_HTML_CHARS", 300)
    data, before, message = UNREADABLE[name]
    (tmp_path / name).write_bytes(data)
    kind = name.split(".")[1]
    good = tmp_path / f"b.{'warc' if kind == 'warc' else 'jsonl'}"
    good.write_bytes(warc([("text/html", PAGE.encode())]) if kind == "warc" else as_jsonl(records(2)))
    new = 1 if kind == "warc" else 2
    arguments = ["annotate", str(tmp_path / name), str(good), "--output", str(tmp_path / "out")]
    for _ in range(2):  # also when it goes on, or has nothing left to do
        done = CliRunner().invoke(app, [*arguments, "--workers", "1"])
        assert done.exit_code == 1 and f"{before + new} documents" in done.stdout, done.output
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"boilerplate-clf: file://{tmp_path / name}: ") and message in line
    assert len(written(tmp_path / "out")) == before + new
    finished = json.loads((tmp_path / "out" / "_manifest.json").read_text())["finished"]
    assert [message in line for line in finished["unread"]] == [True]


PAGES = [PAGE.format(number, APPEAL).encode() for number in range(2)]
WHOLE = warc([("text/html", page) for page in PAGES])
LAST = len(WHOLE) - WHOLE.rindex(b"WARC/1.")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("lost", [5, 100, len(PAGES[1]) + 4, len(PAGES[1]) + 30, LAST - 30])
def test_a_record_that_was_cut_off_is_not_taken_as_whole(tmp_path, packed, lost):
    data = WHOLE[:-lost]  # the last four bytes are blank lines
    path = tmp_path / ("a.warc.gz" if packed else "a.warc")
    path.write_bytes(gzip.compress(data) if packed else data)
    (chunk,) = read_chunks(find_inputs([str(path)])[0], 10)
    assert chunk.rows[0]["html"] == PAGES[0] and len(chunk) == 2
    assert list(chunk.errors) == [1] and chunk.errors[1].endswith("the record is cut off")
    assert chunk.errors[1].startswith(f"file://{path}: ") and "html" not in chunk.rows[1]


def other_record(kind):
    from fastwarc.warc import WarcRecord, WarcRecordType

    record, stream = WarcRecord(), io.BytesIO()
    record.init_headers(record_type=WarcRecordType.request)
    record.set_bytes_content(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
    record.write(stream)
    return {
        "page": WHOLE[-LAST:],
        "pdf": warc([("application/pdf", b"%PDF" * 30)]),
        "request": stream.getvalue(),
    }[kind]


@pytest.mark.parametrize("kind", ["page", "pdf", "request"])
@pytest.mark.parametrize("packed", [False, True])
def test_wherever_the_last_record_is_cut_off_it_is_said(tmp_path, packed, kind):
    parts = [WHOLE[:-LAST], other_record(kind)]
    first, last = [gzip.compress(part) for part in parts] if packed else parts
    path = tmp_path / ("a.warc.gz" if packed else "a.warc")
    for kept in range(1, len(last) if packed else len(last) - 4):  # the last four bytes are blank lines
        path.write_bytes(first + last[:kept])
        rows, errors = [], []
        try:
            for chunk in read_chunks(find_inputs([str(path)])[0], 10):
                rows += [row for place, row in enumerate(chunk.rows) if place not in chunk.errors]
                errors += chunk.errors.values()
        except InputError as error:
            errors.append(f"cut off: {error}")
        assert len(errors) == 1 and "cut off" in errors[0], (kept, errors)
        assert [row["html"] for row in rows] in ([PAGES[0]], PAGES), kept
    for end in (b"", b"\n", b"\0" if packed else b"\r\n"):
        path.write_bytes(first + last + end)
        (chunk,) = read_chunks(find_inputs([str(path)])[0], 10)
        assert len(chunk) == (2 if kind == "page" else 1) and not chunk.errors, end


@pytest.mark.parametrize("packed", [False, True])
def test_a_stream_that_cannot_go_back_is_taken_as_it_is(packed):
    class Once(io.BytesIO):
        def seek(self, *_):
            raise ValueError("Cannot seek streaming HTTP file")

    assert ends_whole(Once(gzip.compress(WHOLE) if packed else WHOLE), 0, 1)


def test_what_lies_behind_a_whole_record_may_be_lost(tmp_path):
    (tmp_path / "a.warc").write_bytes(WHOLE[:-4])
    (chunk,) = read_chunks(find_inputs([str(tmp_path / "a.warc")])[0], 10)
    assert [row["html"] for row in chunk.rows] == PAGES and not chunk.errors


def test_parts_end_where_they_grow_large(tmp_path, monkeypatch):
    monkeypatch.setattr("boilerplate_clf.annotate.inputs.MAX_PART_BYTES", 1000)
    rows = [{"text": "x" * size} for size in (10, 400, 700, 2000, 10, 10, 10)]
    (tmp_path / "a.jsonl").write_bytes(as_jsonl(rows))
    with (tmp_path / "a.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["text"], *([row["text"]] for row in rows)])
    pages = [("text/html", row["text"].encode()) for row in rows]
    (tmp_path / "a.warc").write_bytes(warc(pages))
    for name in ("a.jsonl", "a.csv", "a.warc"):
        chunks = list(read_chunks(find_inputs([str(tmp_path / name)])[0], 3))
        assert [len(chunk) for chunk in chunks] == [3, 1, 3] and chunks[-1].done == 1.0
    parquet.write_table(arrow.table({"text": ["x" * 300] * 20}), tmp_path / "a.parquet")
    chunks = list(read_chunks(find_inputs([str(tmp_path / "a.parquet")])[0], 10))
    assert all(len(chunk) <= 4 and chunk.table.nbytes <= 1300 for chunk in chunks)
    assert sum(map(len, chunks)) == 20 and chunks[-1].done == 1.0


def test_an_output_inside_the_input_and_half_characters(tmp_path):
    lines = ['{"text": "Ein Satz.", "meta": {"title": "abc\\ud83d"}, "\\ud800": 1}', "{}"]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for _ in range(2):
        result = run_job(
            [str(tmp_path), str(tmp_path / "a.jsonl")], str(tmp_path / "out"), JobOptions(chunk=1)
        )
        assert (result.documents, result.errors, result.parts) == (2, 1, 2)
    assert written(tmp_path / "out")[0]["meta"] == '{"title": "abc?"}'


def test_chunked_pages_are_put_together():
    from boilerplate_clf.annotate.warc import dechunked

    assert dechunked(b"6\r\n<html>\r\n7;x=y\r\n</html>\r\n0\r\n\r\n") == b"<html></html>"
    assert dechunked(b"<html>\r\n") == b"<html>\r\n"


def test_another_run_in_the_folder_and_a_changed_input(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(as_jsonl(records(4)))
    run_job([str(path)], str(tmp_path / "out"))
    with pytest.raises(RunError, match="with other options"):
        run_job([str(path)], str(tmp_path / "out"), JobOptions(mode="careful"))
    path.write_bytes(as_jsonl(records(5)))
    with pytest.raises(RunError, match="with other inputs"):
        run_job([str(path)], str(tmp_path / "out"))


def test_a_finished_run_does_nothing_again(tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").write_bytes(as_jsonl(records(6)))
    first = run_job([str(tmp_path / "a.jsonl")], str(tmp_path / "out"), JobOptions(chunk=2))
    before = contents(tmp_path / "out")
    monkeypatch.setattr("boilerplate_clf.annotate.job._work", None)  # cannot be sent to a process
    again = run_job([str(tmp_path / "a.jsonl")], str(tmp_path / "out"), JobOptions(chunk=2))
    assert contents(tmp_path / "out") == before
    assert (again.documents, again.paragraphs) == (first.documents, first.paragraphs)


def test_a_part_without_a_receipt_is_written_again(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(as_jsonl(records(6)))
    run_job([str(tmp_path / "a.jsonl")], str(tmp_path / "out"), JobOptions(chunk=2))
    before = contents(tmp_path / "out")
    (tmp_path / "out" / "_parts" / "part-00000-000001.json").unlink()
    (tmp_path / "out" / "part-00000-000001.parquet").write_bytes(b"half")
    run_job([str(tmp_path / "a.jsonl")], str(tmp_path / "out"), JobOptions(chunk=2))
    assert contents(tmp_path / "out") == before


def test_killed_again_and_again_it_ends_with_the_same_output(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(as_jsonl(records(1000)))
    command = [sys.executable, "-m", "boilerplate_clf.cli.main", "annotate", str(tmp_path / "a.jsonl")]
    command += ["--chunk", "5", "--workers", "2", "--output"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True)
    rng, seen = random.Random(1), set()
    for _ in range(3):
        run = subprocess.Popen(
            [*command, str(tmp_path / "killed")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        parts = tmp_path / "killed" / "_parts"
        enough = len(seen) + rng.randint(2, 8)
        while run.poll() is None and len(list(parts.glob("*.json"))) < enough:
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        seen = set(parts.glob("*.json"))
    assert 0 < len(seen) < 200
    subprocess.run([*command, str(tmp_path / "killed")], check=True, capture_output=True)
    killed = {name: data for name, data in contents(tmp_path / "killed").items() if ".unfinished" not in name}
    assert killed == contents(tmp_path / "whole")


@pytest.mark.filterwarnings("ignore")  # of Ray's own start
def test_ray_writes_the_same(tmp_path):
    ray = pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_bytes(as_jsonl(records(7)))
    (tmp_path / "c.parquet").write_bytes(b"x")
    paths = [str(tmp_path / name) for name in ("c.parquet", "a.jsonl", "b.jsonl")]
    told = []
    try:
        # As many workers as there are processors: none may be needed for anything else.
        cpus = os.cpu_count() or 1
        run_job(
            paths, str(tmp_path / "ray"), JobOptions(chunk=3), engine="ray", workers=cpus, report=told.append
        )
    finally:
        ray.shutdown()
    run_job(paths, str(tmp_path / "local"), JobOptions(chunk=3))
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert b"c.parquet: not a readable" in contents(tmp_path / "ray")["_manifest.json"]
    assert told[-1].documents == 14 and told[-1].share == 1.0


def test_urls_and_progress(tmp_path):
    files = fsspec.filesystem("memory")
    files.pipe("/data/a.jsonl", as_jsonl(records(4)))
    (source,) = find_inputs(["memory://data/a.jsonl"])
    chunks = list(read_chunks(source, 3))
    assert [len(chunk) for chunk in chunks] == [3, 1] and chunks[-1].done == 1.0
    target = Output("memory://out", "jsonl")
    target.write("x/a.json", b"1")
    assert target.read("x/a.json") == b"1" and target.read("x/b.json") is None
    told = []
    (tmp_path / "a.jsonl").write_bytes(as_jsonl(records(9)))
    run_job([f"file://{tmp_path}/a.jsonl"], str(tmp_path / "out"), JobOptions(chunk=4), report=told.append)
    shares = [progress.share for progress in told]
    assert shares == sorted(shares) and told[-1].share == 1.0 and told[-1].documents == 9


def test_the_command(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(as_jsonl(records(3)))
    arguments = ["annotate", str(tmp_path / "a.jsonl"), "--output", str(tmp_path / "out"), "--workers", "1"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0 and "3 documents in 1 parts, 0 with an error" in done.output, done.output
    done = CliRunner().invoke(app, [*arguments, "--text-column", "a", "--html-column", "b"])
    assert done.exit_code == 2 and "give one of" in done.output
    done = CliRunner().invoke(app, ["annotate", "fehlt.jsonl", "--output", str(tmp_path / "new")])
    assert done.exit_code == 2 and "no such file" in done.output and not (tmp_path / "new").exists()
    new = ["annotate", str(tmp_path / "a.jsonl"), "--output", str(tmp_path / "new"), "--workers", "1"]
    done = CliRunner().invoke(app, [*new, "--mode", "carefull"])
    assert (
        done.exit_code == 2 and "'carefull' is not known" in done.output and not (tmp_path / "new").exists()
    )
    done = CliRunner().invoke(app, [*new, "--text-column", "body"])
    assert done.exit_code == 1 and "3 with an error" in done.output
