"""The tutorial, followed to the letter."""

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
import warnings

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from boilerplate_clf.bundle import load_bundle
from boilerplate_clf.labels import LABELS as SHIPPED_LABELS
from boilerplate_clf.retrain.measure import bundle_macro_f1
from boilerplate_clf.retrain.rows import to_documents
from boilerplate_clf.retrain.tables import read_rows
from boilerplate_clf.serve.settings import Limits

from .conftest import ROOT

TUTORIAL = ROOT / "docs" / "own-labels.md"
LABELS = ("content", "affiliate_notice", "author_bio", "newsletter")


def commands():
    blocks = re.findall(r"```console\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.S)
    lines = [line for block in blocks for line in block.strip().splitlines()]
    return [line for line in lines if not line.startswith("pip ")]


def test_the_tutorial_for_own_labels_works_as_written(tmp_path):
    shutil.copy(ROOT / "examples" / "own-labels.csv", tmp_path)
    shutil.copy(ROOT / "examples" / "artikel.txt", tmp_path / "article.txt")
    text = (ROOT / "examples" / "artikel.txt").read_text(encoding="utf-8")
    rows = ["text,label"] + ['"' + line.replace('"', '""') + '",' for line in text.splitlines() if line]
    (tmp_path / "unlabelled.csv").write_text("\n".join(rows), encoding="utf-8")
    assert [line.split()[1] for line in commands()] == [
        "check", "learning-curve", "train", "train", "predict", "annotate-next"
    ]  # fmt: skip
    for line in commands():
        program, *arguments = shlex.split(line)
        assert program == "boilerplate-clf"
        done = subprocess.run(
            [sys.executable, "-m", "boilerplate_clf.cli.main", *arguments],
            cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr[-3000:]}"
    assert (tmp_path / "next.csv").read_text(encoding="utf-8-sig").startswith("text,label,")
    # Rows by another author, of which the training saw nothing.
    unseen = to_documents(read_rows([ROOT / "tests" / "data" / "own-labels-test.csv"]))
    assert bundle_macro_f1(tmp_path / "my-bundle", unseen, LABELS) > 0.8
    assert load_bundle(tmp_path / "extended").labels == (*SHIPPED_LABELS, *LABELS[1:])


def test_the_examples_for_scrapers_run_as_they_stand(tmp_path, monkeypatch):
    # Both want another lxml than trafilatura does: their examples run where they are installed.
    absent = [name for name in ("fundus", "newspaper") if importlib.util.find_spec(name) is None]
    for module in ("trafilatura", "scrapy", "datasets", "pandas", "polars", "datatrove"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "scrapers.md").read_text(encoding="utf-8")
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tools
        for block in re.findall(r"```python\n(.*?)```", page, re.S):
            if any(name in block for name in absent):
                continue
            exec(compile(block, "scrapers.md", "exec"), names)
    assert names["frame"]["clean"][0] == "Der Gemeinderat hat am Montag den Umbau beschlossen."


@pytest.mark.filterwarnings("ignore")  # of pyspark about pandas
def test_the_recipe_for_spark(monkeypatch):
    pyspark = pytest.importorskip("pyspark", reason="pyspark is not installed")
    pytest.importorskip("pandas", reason="pandas is not installed")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    names = {}
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    exec(re.search(r"```python\n(.*?)```", page, re.S).group(1), names)
    spark = pyspark.sql.SparkSession.builder.master("local[1]").getOrCreate()
    try:
        table = spark.createDataFrame(
            [("Der Rat tagt am Montag.\nUnterstützen Sie uns: Jetzt spenden!",)], ["text"]
        )
        assert [row.clean_text for row in names["clean_table"](table).collect()] == [
            "Der Rat tagt am Montag."
        ]
    finally:
        spark.stop()


def test_the_examples_over_http_run_as_they_stand(tmp_path):
    pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
    pytest.importorskip("trafilatura", reason="the extra 'html' is not installed")
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    from .serving import Process

    page = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```console\n(.*?)```", page, re.S) for line in block.splitlines()]
    assert len(lines) == 8
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines += [f"curl -s {line}" for line in re.findall(r"^    curl (.*)", readme, re.M)]
    assert len(lines) == 9
    answers = {}
    with Process(tmp_path) as server:
        for line in lines:
            program, *arguments = shlex.split(line.replace(":8000/", f":{server.port}/"))
            done = subprocess.run([program, "--fail", *arguments], capture_output=True, check=False)
            assert done.returncode == 0, (line, done.stderr)
            answers.setdefault(arguments[1].rpartition("/")[2], []).append(done.stdout.decode())
    one, several, careful, readme = map(json.loads, answers["predict"])
    assert [p["label"] for p in readme["paragraphs"]] == ["donation_request"]
    assert [p["label"] for p in one["paragraphs"]] == ["content", "donation_request"]
    assert several["documents"][0]["meta"] == {"id": 1} and several["documents"][1]["source"] == "b"
    assert careful["mode"] == "careful" and careful["paragraphs"][0]["because"]
    assert json.loads(answers["clean"][0])["clean_text"] == "Der Rat tagt am Montag."
    # What the page says of the limits is what they are.
    limits = Limits()
    for flag, value in re.findall(r"^\| `--(\S+)` \| ([\d,]+) \|", page, re.M):
        name = flag.removeprefix("max-").replace("-", "_")
        assert getattr(limits, name) == int(value.replace(",", "")), flag
