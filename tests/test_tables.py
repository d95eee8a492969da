"""Reading labelled paragraphs as people keep them, and saying what is wrong with them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from boilerplate_clf.errors import DataError
from boilerplate_clf.retrain.rows import Columns, Row, to_documents
from boilerplate_clf.retrain.tables import decode, read_rows, table_line, write_csv
from boilerplate_clf.training.data import LabelledDocument, read_labelled, write_labelled

ROWS = [
    {"text": "Der Rat tagt am Montag, sagt die Bürgermeisterin.", "label": "content"},
    {"text": "Jetzt unseren Rundbrief bestellen; er kommt freitags", "label": "newsletter"},
    {"text": 'Er sagte: "Wir bauen um"\nund ging.', "label": "content"},
]


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def table(rows, delimiter=",", columns=("text", "label")):
    def cell(value):
        return '"' + str(value).replace('"', '""') + '"'

    lines = [delimiter.join(columns)]
    lines += [delimiter.join(cell(row.get(name, "")) for name in columns) for row in rows]
    return "\n".join(lines) + "\n"


def pairs(rows):
    return [(row.text, row.label) for row in rows]


EXPECTED = [(row["text"], row["label"]) for row in ROWS]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_in_the_dialects_of_spreadsheets(tmp_path, encoding, delimiter):
    path = write(tmp_path / "a.csv", table(ROWS * 5, delimiter), encoding)
    assert pairs(read_rows([path])) == EXPECTED * 5


def test_every_kind_of_file_gives_the_same_rows(tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="the extra 'train' is not installed")
    arrow = pytest.importorskip("pyarrow", reason="the extra 'train' is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")

    book = openpyxl.Workbook()
    book.active.append(["text", "label"])
    for row in ROWS:
        book.active.append([row["text"], row["label"]])
    book.save(tmp_path / "a.xlsx")
    values = {name: [row[name] for row in ROWS] for name in ("text", "label")}
    parquet.write_table(arrow.table(values), tmp_path / "a.parquet")
    write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, ROWS)) + "\n\n")
    write(tmp_path / "a.json", json.dumps(ROWS))
    write(tmp_path / "a.tsv", table(ROWS, "\t"))
    for name in ("a.xlsx", "a.parquet", "a.jsonl", "a.json", "a.tsv"):
        assert pairs(read_rows([tmp_path / name])) == EXPECTED, name


LABEL_STUDIO = [
    {"id": 1, "data": {"text": "Eins"}, "annotations": [{"result": [{"value": {"choices": ["a"]}}]}]},
    {"id": 2, "data": {"text": "Zwei"}, "annotations": [{"was_cancelled": True, "result": []}]},
]
PRODIGY = [
    {"text": "Eins", "label": "a", "answer": "accept"},
    {"text": "Zwei", "label": "a", "answer": "reject"},
    {"text": "Drei", "options": [{"id": "b"}], "accept": ["b"], "answer": "accept"},
]
DOCCANO = [{"id": 1, "text": "Eins", "label": ["a"]}, {"id": 2, "text": "Zwei", "label": []}]
DOCUMENT = [{"page": "p", "paragraphs": [{"text": "Eins", "label": "a"}, {"text": "Zwei", "label": "?"}]}]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (LABEL_STUDIO, [("Eins", "a"), ("Zwei", "")]),
        (PRODIGY, [("Eins", "a"), ("Zwei", ""), ("Drei", "b")]),
        (DOCCANO, [("Eins", "a"), ("Zwei", "")]),
        (DOCUMENT, [("Eins", "a"), ("Zwei", "")]),
    ],
    ids=["label-studio", "prodigy", "doccano", "documents"],
)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_exports_of_annotation_tools(tmp_path, records, expected, name):
    text = json.dumps(records) if name == "a.json" else "\n".join(map(json.dumps, records))
    assert pairs(read_rows([write(tmp_path / name, text)])) == expected


def test_columns_may_have_other_names(tmp_path):
    path = write(tmp_path / "a.csv", "Absatz;Art;Seite\nHallo Welt;x;1\nNoch etwas;y;1\n")
    rows = read_rows([path], Columns(text="Absatz", label="Art", document="Seite"))
    assert [(row.text, row.label, row.document) for row in rows] == [
        ("Hallo Welt", "x", "1"),
        ("Noch etwas", "y", "1"),
    ]
    assert rows[1].where == f"{path}: row 3"


def test_rows_of_a_document_are_read_in_their_order():
    rows = [
        Row("zwei", "a", "f: row 2", "d1", 2.0),
        Row("eins", "", "f: row 3", "d1", 1.0),
        Row("allein", "b", "f: row 4"),
    ]
    first, second = to_documents(rows)
    assert first.texts == ("eins", "zwei") and first.labels == ("?", "a")
    assert second.texts == ("allein",) and second.labels == ("b",)


BAD = {
    "no such file": ("fehlt.csv", None, "No such file"),
    "unknown kind": ("a.docx", "x", "unknown kind of file '.docx'"),
    "empty file": ("a.csv", "", "the file is empty"),
    "header only": ("a.csv", "text,label\n", "no rows below the header"),
    "no text column": (
        "a.csv",
        "absatz,label\nx,y\n",
        "no column 'text' in the first row (there is 'absatz'",
    ),
    "column twice": ("a.csv", "text,label,label\nx,y,z\n", "'label' stands twice"),
    "too many cells": ("a.csv", "text,label\nJa, und nein,a\n", "row 2 has 3 cells, the header 2"),
    "not a number": ("a.csv", "text,position\nx,oben\n", "row 2: position 'oben' is not a number"),
    "infinite weight": ("a.csv", "text,weight\nx,inf\n", "weight 'inf' is not a number"),
    "negative weight": ("a.csv", "text,weight\nx,-1\n", "weight -1 is negative"),
    "unknown split": ("a.csv", "text,split\nx,probe\n", "split 'probe' is none of train, dev, test"),
    "binary file": ("a.csv", "text,label\n\0\0\0\n", "NUL characters"),
    "not a workbook": ("a.xlsx", "text,label\n", "not a readable XLSX file"),
    "not Parquet": ("a.parquet", "text,label\n", "not a readable Parquet file"),
    "not JSON": ("a.jsonl", '{"text": "x"}\n{"text": \n', "a.jsonl:2: not JSON"),
    "no array": ("a.json", '{"text": "x"}', "not a JSON array"),
    "no object": ("a.jsonl", "[1]\n", "a.jsonl:1: not an object"),
    "no text key": ("a.jsonl", '{"body": "x"}\n', "no key 'text' (there is 'body')"),
    "no list": ("a.jsonl", '{"paragraphs": "x"}\n', "'paragraphs' is not a list"),
    "paragraph without text": ("a.jsonl", '{"paragraphs": [{"label": "x"}]}\n', "paragraph 0: no key 'text'"),
    "several labels": ("a.jsonl", '{"text": "x", "label": ["a", "b"]}\n', "several labels ('a', 'b')"),
    "task without text": (
        "a.json",
        '[{"data": {"html": "x"}, "annotations": []}]',
        "no key 'text' in 'data'",
    ),
}


@pytest.mark.parametrize(("name", "text", "message"), BAD.values(), ids=BAD)
def test_bad_files_are_named_with_row_cause_and_remedy(tmp_path, name, text, message):
    path = tmp_path / name
    if text is not None:
        write(path, text)
    with pytest.raises(DataError) as error:
        read_rows([path])
    assert message in str(error.value) and str(path) in str(error.value)
    assert "\n" not in str(error.value)


@given(st.lists(st.text(min_size=1).filter(lambda t: t.strip() and "\0" not in t), min_size=1, max_size=8))
def test_any_text_comes_back_from_jsonl(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("t") / "a.jsonl"
    path.write_text("\n".join(json.dumps({"text": text, "label": "a"}) for text in texts), "utf-8")
    assert [row.text for row in read_rows([path])] == [text.strip() for text in texts]


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_one_clear_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("t") / "a.csv"
    path.write_bytes(b"text,label\n" + data)
    try:
        rows = read_rows([path])
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert all(isinstance(row.text, str) for row in rows)


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(DataError, match="is a folder"):
        read_rows([tmp_path])


def test_windows_encodings_are_read():
    text = "Größere Änderungen für Bürgerinnen; der Entwurf überzeugt nicht.\n" * 20
    assert decode(text.encode("cp1252"), "a.csv") == text
    with pytest.raises(DataError, match="save the file as UTF-8"):
        decode(b"Stra\x81e", "a.csv")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_position_comes_back_exactly(tmp_path_factory, position):
    path = tmp_path_factory.mktemp("t") / "a.csv"
    write_csv(path, ("text", "label", "document", "position"), [table_line(Row("x", "", "w", "d", position))])
    (back,) = read_rows([path])
    assert back.position == position
    assert table_line(Row("x", "", "w", "d", 7)) == ("x", "", "d", "7")


def test_what_no_file_can_hold_is_replaced_in_rows():
    row = Row("Ein \ud83d Satz\0", "a\udfff", "\udcfc.csv: row 2", "d\ud800")
    assert (row.text, row.label) == ("Ein \ufffd Satz\ufffd", "a\ufffd")
    assert (row.where, row.document) == ("\ufffd.csv: row 2", "d\ufffd")
    assert Row("Alles gut \U0001f600", "a", "w").text == "Alles gut \U0001f600"


def test_documents_with_half_a_character_can_be_written(tmp_path):
    write_labelled(tmp_path / "a.jsonl", [LabelledDocument("p\ud83d", "x", ("Ein \ud83d Satz\0",), ("a",))])
    (back,) = read_labelled(tmp_path / "a.jsonl")
    assert (back.page, back.texts) == ("p\ufffd", ("Ein \ufffd Satz\0",))


def test_a_question_mark_is_no_label_of_its_own(tmp_path):
    rows = read_rows([write(tmp_path / "a.csv", "text,label\nUnklar,?\nEs regnet,content\n")])
    assert [row.label for row in rows] == ["", "content"]
    assert [d.labels for d in to_documents(rows)] == [("?",), ("content",)]
