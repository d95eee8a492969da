"""The command line, as a user runs it."""

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from .conftest import ROOT

EXAMPLE = ROOT / "examples" / "artikel.txt"
COMMAND = [sys.executable, "-m", "boilerplate_clf.cli.main"]


def run(*arguments, stdin=None):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin if isinstance(stdin, bytes) or stdin is None else stdin.encode(),
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=120,
        check=False,
    )


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_predict_a_file_as_jsonl():
    done = run("predict", EXAMPLE)
    assert (done.returncode, done.stderr) == (0, b"")
    (document,) = lines(done)
    assert document["source"] == str(EXAMPLE)
    text = EXAMPLE.read_text(encoding="utf-8")
    assert all(text[p["start"] : p["end"]] == p["text"] for p in document["paragraphs"])


def test_stdin_text_jsonl_and_the_default():
    text = "Der Rat tagt am Montag.\nJetzt spenden!"
    record = json.dumps({"text": text, "id": 7})
    for done in (
        run("predict", "-", stdin=text),
        run("predict", stdin=text),
        run("predict", "-", stdin=record),
    ):
        (document,) = lines(done)
        assert [p["text"] for p in document["paragraphs"]] == text.split("\n")
    assert document["meta"] == {"id": 7} and document["source"] == "-:1"


def test_formats():
    (as_json,) = json.loads(run("predict", EXAMPLE, "--format", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(run("predict", EXAMPLE, "--format", "csv").stdout.decode())))
    assert [r["text"] for r in rows] == [p["text"] for p in as_json["paragraphs"]]
    assert [r["label"] for r in rows] == [p["label"] for p in as_json["paragraphs"]]
    listing = run("predict", EXAMPLE, "--format", "text").stdout.decode()
    assert len(listing.splitlines()) == 1 + len(rows)
    assert "donation_request" in listing and "\x1b" not in listing


def test_modes():
    (careful,) = lines(run("predict", EXAMPLE, "--mode", "careful"))
    (target,) = lines(run("predict", EXAMPLE, "--precision-target", "0.8"))
    assert careful["mode"] == "careful" and target["mode"] == "precision>=0.8"
    assert {p["reason"] for p in careful["paragraphs"]} <= {"likeliest", "below_threshold"}
    for wrong, message in (
        (("--mode", "wild"), "take one of careful, balanced, best-guess"),
        (("--precision-target", "7"), "between 0 and 1"),
        (("--mode", "careful", "--precision-target", "0.9"), "either a mode or"),
    ):
        done = run("clean", EXAMPLE, *wrong)
        assert done.returncode == 2 and done.stdout == b""
        assert message in " ".join(done.stderr.decode().replace("│", " ").split())


def test_explained_listing_and_html(tmp_path):
    listing = run("predict", EXAMPLE, "--explain", "--format", "text").stdout.decode()
    assert "because of" in listing
    page = tmp_path / "page.html"
    done = run("predict", EXAMPLE, "--explain", "--format", "html", "--output", page)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    text = page.read_text(encoding="utf-8")
    assert text.endswith("</html>\n") and "<mark" in text and "Behelfsbrücke" in text


def test_clean_prints_the_content():
    done = run("clean", EXAMPLE)
    text = done.stdout.decode()
    assert done.returncode == 0 and "Behelfsbrücke" in text and "Jetzt spenden" not in text
    kept = set(text.splitlines())
    assert kept < set(EXAMPLE.read_text(encoding="utf-8").splitlines())


def test_folders_and_output(tmp_path):
    (tmp_path / "a.txt").write_text("Der Rat tagt am Montag.")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.jsonl").write_text('{"paragraphs": ["Jetzt spenden!", {"text": "Ein Satz."}]}\n')
    (tmp_path / "c.pdf").write_text("nicht gelesen")
    assert len(lines(run("predict", tmp_path))) == 1
    out = tmp_path / "out" / "labels.jsonl"
    done = run("predict", "-r", tmp_path, "--output", out)
    assert done.returncode == 0 and done.stdout == b""
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [len(d["paragraphs"]) for d in found] == [1, 2]


def test_bad_inputs_do_not_stop_the_others(tmp_path):
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(
        b'{"text": "Eins."}\nkein json\n[1]\n{"id": 3}\n{"paragraphs": [1]}\n\xff\n{"text": "Zwei."}\n'
    )
    latin = tmp_path / "latin.txt"
    latin.write_bytes("Über uns".encode("latin-1"))
    done = run("predict", tmp_path / "nowhere.txt", broken, latin, EXAMPLE)
    assert done.returncode == 1
    assert len(lines(done)) == 3
    errors = done.stderr.decode().splitlines()
    assert len(errors) == 7
    for number, (where, what) in enumerate(
        [
            ("nowhere.txt", "No such file"),
            ("broken.jsonl:2", "not JSON"),
            ("broken.jsonl:3", "not an object"),
            ("broken.jsonl:4", "needs 'text'"),
            ("broken.jsonl:5", "'paragraphs' must be"),
            ("broken.jsonl:6", "not UTF-8"),
            ("latin.txt", "not UTF-8"),
        ]
    ):
        assert where in errors[number] and what in errors[number]


def test_empty_inputs(tmp_path):
    (tmp_path / "empty.txt").touch()
    (tmp_path / "empty.jsonl").touch()
    done = run("predict", tmp_path / "empty.txt", tmp_path / "empty.jsonl")
    assert done.returncode == 0 and [d["paragraphs"] for d in lines(done)] == [[]]
    assert run("clean", "-", stdin="").stdout == b""
    (tmp_path / "folder").mkdir()
    done = run("predict", tmp_path / "folder")
    assert done.returncode == 1 and b"no .txt, .jsonl, .ndjson, .html or .htm files" in done.stderr


def test_usage_errors():
    assert run("predict", "--format", "xml", EXAMPLE).returncode == 2
    assert run("nonsense").returncode == 2
    done = run("predict", EXAMPLE, "--model", "nowhere")
    assert done.returncode == 2
    advice = "give the folder of a model bundle, or fast or accurate"
    assert done.stderr.decode() == f"boilerplate-clf: nowhere: no such folder: {advice}\n"


def test_output_is_untouched_when_the_run_fails(tmp_path):
    out = tmp_path / "labels.jsonl"
    out.write_text("alt")
    assert run("predict", EXAMPLE, "--model", "nowhere", "--output", out).returncode == 2
    assert out.read_text() == "alt"
    assert [p.name for p in tmp_path.iterdir()] == ["labels.jsonl"]
    assert run("predict", EXAMPLE, "--output", tmp_path).returncode == 2


def test_info_and_version():
    facts = json.loads(run("info", "--json").stdout)
    assert facts["labels"][0] == "content" and facts["files"]["model.onnx"] > 1e6
    assert b"thresholds" in run("info").stdout
    assert b"model de-news" in run("--version").stdout


@pytest.mark.parametrize("command", ["predict", "clean", "serve", "info", "evaluate", "pipeline"])
def test_help_has_examples(command):
    done = run(command, "--help")
    assert (
        done.returncode == 0
        and b"Example" in done.stdout
        and b"\n    boilerplate-clf " + command.encode() in done.stdout  # a line each
    )


def test_help_imports_nothing_slow():
    code = (
        "import sys\nfrom boilerplate_clf.cli.main import app\n"
        "try: app(['predict', '--help'])\nexcept SystemExit: pass\n"
        "print({'onnxruntime', 'numpy', 'tokenizers', 'torch'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "set()"


def test_rows_of_csv_are_whole_whatever_ends_a_line_in_a_text(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"paragraphs": ["Zeile eins\\rZeile zwei", "gut\\nso"]}\n')
    written = run("predict", tmp_path / "a.jsonl", "-f", "csv").stdout.decode()
    rows = list(csv.reader(io.StringIO(written, newline="")))
    assert [row[-1] for row in rows] == ["text", "Zeile eins\rZeile zwei", "gut\nso"]


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_a_record_with_nan_comes_out_as_json_for_any_reader(form):
    record = b'{"text": "Der Rat tagt am Montag.", "id": NaN, "note": "NaN", "price": -Infinity}\n'
    written = run("predict", "-", "-f", form, stdin=record).stdout.decode()

    def refuse(word):
        raise AssertionError(word)

    found = json.loads(written, parse_constant=refuse)
    assert (found if form == "jsonl" else found[0])["meta"] == {"id": None, "note": "NaN", "price": None}


def test_closed_pipe_ends_quietly(tmp_path):
    many = tmp_path / "many.jsonl"
    many.write_text('{"text": "Der Rat tagt am Montag."}\n' * 3000)
    command = f"{' '.join(COMMAND)} predict {many} | head -n 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_told_to_stop_it_ends_quietly_and_leaves_nothing(tmp_path, number, code):
    many = tmp_path / "many.jsonl"
    many.write_text('{"text": "Der Rat tagt am Montag."}\n' * 200_000)
    output = tmp_path / "out"
    output.mkdir()
    process = subprocess.Popen(
        [*COMMAND, "predict", many, "-o", output / "labels.jsonl"],
        stderr=subprocess.PIPE,
        # Where the tests run in the background of a shell, SIGINT is ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(part.stat().st_size for part in output.iterdir()):
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert b"Traceback" not in errors
    assert list(output.iterdir()) == []


def test_a_terminal_gets_a_coloured_listing():
    parent, child = pty.openpty()
    process = subprocess.Popen([*COMMAND, "predict", EXAMPLE], stdout=child, stderr=child, stdin=child)
    os.close(child)
    shown = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            block = os.read(parent, 65536)
        except OSError:
            break
        if not block:
            break
        shown += block
    process.wait(timeout=60)
    os.close(parent)
    assert b"\x1b[3" in shown and "paragraphs" in shown.decode()
    assert b"{" not in shown.splitlines()[0]
