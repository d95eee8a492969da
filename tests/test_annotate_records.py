"""Records, parts and a run's folder: nothing is lost; what is wrong with a record is that record's affair."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="the extra 'annotate' is not installed")
pytest.importorskip("pyarrow.parquet", reason="the extra 'annotate' is not installed")
pytest.importorskip("fsspec", reason="the extra 'annotate' is not installed")

import pyarrow as arrow
import pyarrow.parquet as parquet

from boilerplate_clf.annotate.inputs import Chunk, find_inputs, read_chunks
from boilerplate_clf.annotate.job import JobOptions, run_job
from boilerplate_clf.annotate.outputs import Output
from boilerplate_clf.annotate.records import Column, annotate
from boilerplate_clf.errors import InputError, RunError

ADDED = {"paragraphs": [[]], "clean_text": ["Es regnet."], "error": [None]}
JSONL = JobOptions(form="jsonl", chunk=1)


def chunks_of(path, size=10):
    (source,) = find_inputs([str(path)])
    return list(read_chunks(source, size))


def part_of(folder, form, chunk):
    """The only row of a part that is made of a chunk."""
    Output(str(folder), form).write_part("part-00000-000000", chunk, ADDED)
    (path,) = folder.glob("part-*")
    if form == "parquet":
        names = parquet.ParquetFile(path).schema_arrow.names
        assert len(names) == len(set(names))
        return parquet.read_table(path).to_pylist()[0]
    return json.loads(path.read_text(encoding="utf-8"))


def contents(folder):
    return {str(path): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


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


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
@pytest.mark.parametrize("kind", ["rows", "table"])
def test_columns_that_are_called_like_ours_are_kept_with_a_prefix_more(tmp_path, form, kind):
    row = {"error": "meins", "text": "Es regnet.", "input_error": "auch meins", "clean_text": "alt"}
    chunk = Chunk([row]) if kind == "rows" else Chunk(table=arrow.RecordBatch.from_pylist([row]))
    found = part_of(tmp_path, form, chunk)
    assert found["input_error"] == "meins" and found["input_input_error"] == "auch meins"
    assert found["input_clean_text"] == "alt" and found["text"] == "Es regnet."
    assert found["clean_text"] == "Es regnet." and found["error"] is None and len(found) == 7


def test_a_column_is_called_the_same_whatever_else_a_part_holds(tmp_path):
    alone = part_of(tmp_path, "jsonl", Chunk([{"text": "a", "input_error": "auch meins"}]))
    assert alone["input_input_error"] == "auch meins" and "input_error" not in alone


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_names_with_half_characters_do_not_meet_others(tmp_path, form):
    found = part_of(tmp_path, form, Chunk([{chr(0xD800): "halb", "?": "ganz", chr(0xD801): "auch halb"}]))
    assert (found["?"], found["input_?"], found["input_input_?"]) == ("ganz", "halb", "auch halb")


def test_bytes_become_texts_in_lines_of_json(tmp_path):
    page = "<p>Grüße</p>".encode() + b"\xff"
    table = arrow.RecordBatch.from_pylist([{"page": page, "more": [b"x"]}])
    found = part_of(tmp_path, "jsonl", Chunk(table=table))
    assert found["page"] == "<p>Grüße</p>\ufffd" and found["more"] == ["x"]


def test_what_json_has_no_word_for_becomes_null(tmp_path):
    """Tables hold NaN where a value is missing; readers of JSON other than Python's refuse it."""
    row = {"price": float("nan"), "more": [1.5, float("inf")], "text": "NaN"}
    found = part_of(tmp_path, "jsonl", Chunk(table=arrow.RecordBatch.from_pylist([row])))
    assert (found["price"], found["more"], found["text"]) == (None, [1.5, None], "NaN")


def test_tables_with_two_columns_of_a_name_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("text,id,text\nEs regnet.,1,Es schneit.\n", encoding="utf-8")
    table = arrow.Table.from_arrays([arrow.array(["Es regnet."])] * 2, names=["text", "text"])
    parquet.write_table(table, tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet"):
        with pytest.raises(InputError, match=rf"{name}: the column 'text' stands twice .*: rename one"):
            chunks_of(tmp_path / name)


def test_columns_without_a_name_lose_nothing(tmp_path):
    (tmp_path / "a.csv").write_text("text,,\nEs regnet.,1,2\n", encoding="utf-8")
    assert chunks_of(tmp_path / "a.csv")[0].rows == [{"text": "Es regnet.", "column_2": "1", "column_3": "2"}]
    (tmp_path / "b.csv").write_text(",text\n0,Es regnet.\n", encoding="utf-8")  # as pandas writes them
    assert chunks_of(tmp_path / "b.csv")[0].rows == [{"": "0", "text": "Es regnet."}]


def test_rows_of_a_csv_file_that_are_not_utf8_get_an_error(tmp_path):
    lines = ["id,text", "1,Es regnet.", "2,Die Straße ist naß.", "3,Es schneit.", "4,Süß,zu viel"]
    (tmp_path / "a.csv").write_bytes("\r\n".join(lines).encode("cp1252"))
    (chunk,) = chunks_of(tmp_path / "a.csv")
    assert [row.get("id") for row in chunk.rows] == ["1", None, "3", None]
    assert list(chunk.errors) == [1, 3] and json.loads(chunk.rows[1]["raw"])[0] == "2"
    advice = "not UTF-8 (byte 0xdf): convert the file to UTF-8"
    assert chunk.errors[1] == f"file://{tmp_path}/a.csv: row 3: {advice}"
    chunk.rows[1]["raw"].encode()  # and so is what is kept of it
    (tmp_path / "b.csv").write_bytes("text,größe\nEs regnet.,1\n".encode("cp1252"))
    with pytest.raises(InputError, match=r"b.csv: the header is not UTF-8 \(byte 0xf6\): convert"):
        chunks_of(tmp_path / "b.csv")


def test_names_of_files_may_be_any_bytes(tmp_path):
    name = tmp_path / os.fsdecode(b"caf\xe9.jsonl")
    try:
        name.write_text('{"text": "Es regnet."}\nkein json\n', encoding="utf-8")
    except OSError:
        pytest.skip("this file system has only names that are UTF-8")
    command = [sys.executable, "-m", "boilerplate_clf.cli.main", "annotate", name, "-f", "jsonl", "-o"]
    command += [tmp_path / os.fsdecode(b"o\xe9"), "--workers", "1"]
    for _ in range(2):
        run = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "utf-8"})
        assert run.returncode == 1 and not run.stderr, run.stderr
        assert run.stdout.endswith(b"/o\\udce9\n") and b"2 documents in 1 parts, 1 with" in run.stdout


DAMAGES = {
    "the part is gone": lambda folder: (folder / "part-00000-000001.jsonl").unlink(),
    "the part is empty": lambda folder: (folder / "part-00000-000001.jsonl").write_bytes(b""),
    "the receipt is empty": lambda folder: (folder / "_parts/part-00000-000001.json").write_bytes(b""),
    "the receipt is cut off": lambda folder: (folder / "_parts/part-00000-000001.json").write_bytes(b'{"do'),
    "the receipt is no receipt": lambda folder: (folder / "_parts/part-00000-000001.json").write_bytes(b"[]"),
}


def test_parts_and_receipts_that_are_lost_or_damaged_are_made_anew(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "Es regnet."}\n' * 3, encoding="utf-8")
    run_job([str(tmp_path / "a.jsonl")], str(tmp_path / "out"), JSONL)
    before = contents(tmp_path / "out")
    for what, damage in DAMAGES.items():
        damage(tmp_path / "out")
        assert Output(str(tmp_path / "out"), "jsonl").receipt("part-00000-000001") is None, what
    for number in range(3):  # all at once
        (tmp_path / f"out/_parts/part-00000-00000{number}.json").write_bytes(b"\0" * 9)
    assert run_job([str(tmp_path / "a.jsonl")], str(tmp_path / "out"), JSONL).documents == 3
    assert contents(tmp_path / "out") == before
    (tmp_path / "out/part-00000-000002.jsonl").unlink()
    run_job([str(tmp_path / "a.jsonl")], str(tmp_path / "out"), JSONL)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("data", [b"", b'{"options": {', b"[1]", b"\xff\xfe"])
def test_a_damaged_manifest_is_told_with_what_to_do(tmp_path, data):
    (tmp_path / "a.jsonl").write_text('{"text": "Es regnet."}\n', encoding="utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/_manifest.json").write_bytes(data)
    with pytest.raises(
        RunError, match=r"out/_manifest.json: damaged \(.*delete this file and run again; if not"
    ):
        run_job([str(tmp_path / "a.jsonl")], str(tmp_path / "out"), JSONL)


def test_two_writers_of_a_file_do_not_meet(tmp_path, monkeypatch):
    replace, others = Path.replace, [Output(str(tmp_path), "jsonl")]

    def meanwhile(self, target):
        if others:
            others.pop().write("part-00000-000000.jsonl", b"zwei")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", meanwhile)
    Output(str(tmp_path), "jsonl").write("part-00000-000000.jsonl", b"eins")
    assert contents(tmp_path) == {str(tmp_path / "part-00000-000000.jsonl"): b"eins"} and not others


@pytest.mark.parametrize("url", ["{}", "memory://unfertig{}"])
def test_a_file_that_could_not_be_written_leaves_nothing(tmp_path, monkeypatch, url):
    output = Output(url.format(tmp_path), "jsonl")

    def full(*_):
        raise OSError("kein Platz")

    monkeypatch.setattr(Path, "replace", full)
    monkeypatch.setattr(output.files, "mv", full)
    with pytest.raises(OSError, match="kein Platz"):
        output.write("a.json", b"1")
    assert output.files.find(output.root) == []


def test_what_killed_runs_left_is_removed_once_it_is_old(tmp_path):
    old = ["part-00000-000000.jsonl.0a1b.unfinished", "_parts/part-00000-000000.json.0a1b.unfinished"]
    old += ["_manifest.json.unfinished"]
    kept = ["part-00000-000001.jsonl.0a1b.unfinished", "meins.unfinished", "part-00000-000002.jsonl"]
    (tmp_path / "_parts").mkdir()
    for name in old + kept:
        (tmp_path / name).write_bytes(b"x")
    for name in [*old, *kept[1:]]:
        os.utime(tmp_path / name, (0, 0))
    Output(str(tmp_path), "jsonl").tidy()
    assert sorted(contents(tmp_path)) == sorted(str(tmp_path / name) for name in kept)


def test_an_output_beside_its_inputs_is_no_input(tmp_path, monkeypatch):
    (tmp_path / "g").mkdir()
    (tmp_path / "g/a.jsonl").write_text('{"text": "Es regnet."}\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert run_job(["g/*.jsonl"], "g", JSONL).documents == 1
    before = contents(tmp_path / "g")
    shell = sorted(map(str, Path("g").glob("*.jsonl")))
    for again in (shell, ["g"], ["g/a.jsonl"], ["g/*"], ["./g/**"]):
        assert len(find_inputs(again, leave_out="../" + tmp_path.name + "/g")) == 1
        assert run_job(again, "g", JSONL).documents == 1
    assert contents(tmp_path / "g") == before and len(shell) == 2
    with pytest.raises(RunError, match="g: no inputs are named but what a run has written there"):
        find_inputs(["g/part-*"], leave_out="g")
    assert len(find_inputs(["g"], leave_out="andere")) == 2


def test_an_output_below_or_above_its_inputs_is_no_input(tmp_path):
    for name in ("a.jsonl", "out/_manifest.json", "out/part-00000-000000.jsonl", "out/meins.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}\n", encoding="utf-8")
    out = str(tmp_path / "out")

    def found(path, leave_out):
        return [source.path.rsplit("/", 1)[-1] for source in find_inputs([path], leave_out=leave_out)]

    assert found(str(tmp_path), out) == ["a.jsonl"]
    assert found(f"{tmp_path}/**/*.jsonl", out) == ["a.jsonl", "meins.jsonl"]  # named, and not ours
    assert found(out, str(tmp_path)) == ["meins.jsonl", "part-00000-000000.jsonl"]
    (tmp_path / "out/meins.jsonl").unlink()
    assert found(f"{tmp_path}/*", out) == ["a.jsonl"]


def test_an_input_that_is_called_like_a_part_is_not_written_over(tmp_path):
    (tmp_path / "part-00000-000000.jsonl").write_text('{"text": "Es regnet."}\n', encoding="utf-8")
    for path in (tmp_path, tmp_path / "*.jsonl", tmp_path / "part-00000-000000.jsonl"):
        with pytest.raises(RunError, match="which would be written over it: choose another folder"):
            run_job([str(path)], str(tmp_path), JSONL)
    assert len(contents(tmp_path)) == 1


def test_nobody_is_told_to_delete_a_folder_with_files_of_their_own(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "Es regnet."}\n', encoding="utf-8")
    run_job([str(tmp_path / "a.jsonl")], str(tmp_path / "out"), JSONL)
    (tmp_path / "a.jsonl").write_text('{"text": "Es regnet stark."}\n', encoding="utf-8")
    with pytest.raises(RunError, match=r"other inputs: choose another folder, or delete this one$"):
        run_job([str(tmp_path / "a.jsonl")], str(tmp_path / "out"), JSONL)
    (tmp_path / "a.jsonl").rename(tmp_path / "out/a.jsonl")
    with pytest.raises(RunError, match=r"other inputs: choose another folder$"):
        run_job([str(tmp_path / "out/*.jsonl")], str(tmp_path / "out"), JSONL)
