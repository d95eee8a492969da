"""Every snippet of the documentation is run, here or in the test that is named, or it is said why not."""

import doctest
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from .conftest import ROOT, SHIPPED

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for place in (".", "docs", "benchmarks", "training", "models/*")
    for path in ROOT.glob(f"{place}/*.md")
)
HERE = "here"
WHERE = {
    r"README.md: (trafilatura|boilerplate-clf (predict|clean|annotate|info|verify)) .*": HERE,
    r"README.md: boilerplate-clf info": HERE,
    r"docs/scale.md: boilerplate-clf annotate crawl/ --output labelled/": HERE,
    r"README.md: make (demo|test) .*": "installs packages; CI runs `make test`",
    r".*: pip install .*": "installs packages",
    r"README.md: boilerplate-clf doctor .*": "tests/test_doctor.py: says whether this very machine is fit",
    r"(README|docs/http).md: boilerplate-clf serve( .*)?": "tests/test_serve_command.py",
    r"(README|docs/http).md: curl .*": "tests/test_docs.py",
    r"README.md: boilerplate-clf (check|learning-curve|train|annotate-next) .*": (
        "tests/test_docs.py: the tutorial's, on another table"
    ),
    r"docs/own-labels.md: boilerplate-clf (check|learning-curve|predict|annotate-next) .*": (
        "tests/test_docs.py"
    ),
    r"docs/own-labels.md: boilerplate-clf train own-labels.csv --output .*": "tests/test_docs.py",
    r"docs/own-labels.md: boilerplate-clf train own-labels.csv more.csv .*": (
        "trains for minutes, as the line above does"
    ),
    r".*: boilerplate-clf label .*": "tests/test_labelling.py: it waits for keys",
    r"docs/scale.md: .* --engine ray .*": "tests/test_annotate.py: on this machine; there is no cluster",
    r"docs/trust.md: boilerplate-clf doctor .* --freeze .*": "tests/test_doctor.py",
    r"docs/trust.md: python benchmarks/fuzz.py .*": "tests/test_hostile.py: for less long",
    r"docs/trust.md: python benchmarks/(mutants|soak).py.*": "takes hours",
    r"docs/trust.md: python benchmarks/lone_lines.py .*": "tests/test_evaluate.py",
    r"docs/trust.md: python benchmarks/(robustness|content).py .*": "the data are not in this repository",
    r"training/README.md: .* -m boilerplate_clf.training.pretrain .*": "tests/test_pipeline.py: takes hours",
    r"(CONTRIBUTING|docs/release).md: .*": "for developers: what they run is what CI runs",
}
"""Page and line of every command -> where it is run, or why it is not."""

PYTHON = {
    "README.md": HERE,
    "docs/own-labels.md": "tests/test_train.py: on fewer rows, since this trains five models",
    "docs/scale.md": "tests/test_docs.py: where pyspark is installed",
    "docs/scrapers.md": "tests/test_docs.py",
}
DOCTESTS = ["boilerplate_clf", "boilerplate_clf.inference.classifier", "boilerplate_clf.text.paragraphs"]


def snippets(page):
    for token in MarkdownIt("commonmark").parse((ROOT / page).read_text(encoding="utf-8")):
        if token.type in {"fence", "code_block"}:
            yield token.info, token.content


def commands(page):
    for language, text in snippets(page):
        if language in {"", "bash", "console", "text"}:
            yield from (line.strip() for line in text.splitlines() if line.strip())


def where(page, line):
    found = [place for pattern, place in WHERE.items() if re.fullmatch(pattern, f"{page}: {line}")]
    assert found, f"tests/test_snippets.py must say where this is run: {page}: {line}"
    return found[0]


def test_every_snippet_is_accounted_for():
    unused = {pattern for pattern in WHERE if "CONTRIBUTING" not in pattern}
    for page in PAGES:
        assert {language for language, _ in snippets(page)} <= {"", "bash", "console", "text", "python"}, page
        assert any(language == "python" for language, _ in snippets(page)) == (page in PYTHON), page
        for line in commands(page):
            where(page, line)
            unused -= {pattern for pattern in unused if re.fullmatch(pattern, f"{page}: {line}")}
    assert unused == set()
    for place in (*WHERE.values(), *PYTHON.values()):
        for file in re.findall(r"tests/\w+\.py", place):
            assert (ROOT / file).exists(), file


def test_every_example_of_a_docstring_is_run():
    package = ROOT / "src" / "boilerplate_clf"
    found = {
        path
        for path in package.rglob("*.py")
        if re.search(r"^\s*>>> ", path.read_text(encoding="utf-8"), re.M)
    }
    assert found == {Path(importlib.import_module(name).__file__) for name in DOCTESTS}


@pytest.mark.parametrize("name", DOCTESTS)
def test_the_examples_of_docstrings(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted and not result.failed


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What the commands speak of: an article, a crawl, a bundle; and the programs."""
    arrow = pytest.importorskip("pyarrow", reason="the extra 'annotate' is not installed")
    parquet = importlib.import_module("pyarrow.parquet")
    article = (ROOT / "examples" / "artikel.txt").read_text(encoding="utf-8")
    shutil.copytree(SHIPPED, tmp_path / "my-bundle")
    (tmp_path / "crawl" / "monday").mkdir(parents=True)
    for name in ("article.txt", "crawl/monday/a.txt"):
        (tmp_path / name).write_text(article, encoding="utf-8")
    parquet.write_table(arrow.table({"text": [article]}), tmp_path / "crawl" / "a.parquet")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "boilerplate-clf").write_text(
        f'#!/bin/sh\nexec {sys.executable} -m boilerplate_clf.cli.main "$@"\n'
    )
    (programs / "trafilatura").write_text("#!/bin/sh\ncat article.txt\n")  # there is no network
    for program in programs.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", ["README.md", "docs/scale.md"])
def test_commands(page, folder):
    if page == "docs/scale.md":  # data sets only
        shutil.rmtree(folder / "crawl" / "monday")
    said = []
    for line in commands(page):
        if where(page, line) == HERE:
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (line, done.stderr)
            said.append(done.stdout)
    if page == "README.md":
        assert "Jetzt spenden" in said[0] and "donation_request" in said[0]
        assert "Brücke" in said[1] and "Jetzt spenden" not in said[1]
        assert (folder / "article.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
        assert "Jetzt spenden" not in (folder / "clean.txt").read_text(encoding="utf-8")
        assert "Jetzt spenden" in (folder / "removed.jsonl").read_text(encoding="utf-8")
    assert list((folder / "labelled").glob("*.parquet"))


def test_the_python_of_the_readme(classifier):
    article = (ROOT / "examples" / "artikel.txt").read_text(encoding="utf-8")
    names = {"article": article, "articles": [article, article]}
    for language, text in snippets("README.md"):
        if language == "python":
            exec(compile(text, "README.md", "exec"), names)
    assert names["doc"].clean_text == classifier.clean(article) != article
