"""The documentation as a site: it builds without a warning, is whole, and loads nothing from elsewhere."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import unquote, urldefrag

import pytest

pytest.importorskip("material", reason="mkdocs-material is not installed")
pytest.importorskip("mkdocstrings_handlers.python", reason="mkdocstrings-python is not installed")

import griffe
from markdown_it import MarkdownIt

import boilerplate_clf

from .conftest import ROOT

if not (ROOT / "mkdocs.yml").exists():
    pytest.skip("the source distribution has no docs/", allow_module_level=True)
PAGES = [
    path
    for place in (".", "docs", "benchmarks", "training", "models/*")
    for path in ROOT.glob(f"{place}/*.md")
]
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


class Page(HTMLParser):
    """The ids of a page, what it links to, and what a browser loads for it."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.targets, self.loaded = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids.add(found.get("id"))
        if tag == "a" and "href" in found:
            self.targets.append(found["href"])
        if tag == "link" and found.get("rel") not in {"prev", "next"}:
            self.loaded.append(found["href"])
        if "src" in found:
            self.loaded.append(found["src"])


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site): Page(path.read_text(encoding="utf-8")) for path in site.glob("**/*.html")}


def test_every_page_of_the_repository_is_on_it(site):
    text = "".join(path.read_text(encoding="utf-8") for path in site.glob("*.html"))
    for page in PAGES:
        tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
        title = next(after.content for token, after in pairwise(tokens) if token.tag == "h1")
        assert re.search(rf"<h1[^>]*>{re.escape(title)}<", text), page


def test_it_loads_nothing_from_elsewhere(site, pages):
    for name, page in pages.items():
        for target in page.loaded:
            assert not re.match(r"[a-z]+:|//", target) or target.startswith("data:"), (name, target)
            path = urldefrag(target)[0].partition("?")[0].lstrip("/")  # that of 404.html is a server's root
            assert (site / name.parent / path).exists(), (name, target)
    for sheet in site.glob("**/*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_its_links_lead_somewhere(site, pages):
    for name, page in pages.items():
        if name.name == "404.html":
            continue  # its paths are those of a server's root
        for target in page.targets:
            path, anchor = urldefrag(target)
            if re.match(r"[a-z]+:", target):
                continue
            file = (site / name.parent / path).resolve() if path else (site / name).resolve()
            assert file.exists(), (name, target)
            if anchor and file.suffix == ".html":
                assert unquote(anchor) in pages[file.relative_to(site.resolve())].ids, (name, target)


def test_the_links_between_the_files_lead_somewhere_too():
    def slug(text):  # GitHub's
        return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")

    def parsed(path):
        return MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))

    def anchors(path):
        tokens = parsed(path)
        return {slug(b.content) for a, b in pairwise(tokens) if a.type == "heading_open"}

    for page in PAGES:
        for inline in (token for token in parsed(page) if token.type == "inline"):
            for target in (child.attrGet("href") or child.attrGet("src") for child in inline.children):
                if target is None or re.match(r"[a-z]+:", target):
                    continue
                path, anchor = urldefrag(target)
                file = page.parent / path if path else page
                assert file.exists(), (page, target)
                # The headings of the reference are made when the site is.
                if anchor and file.name != "reference.md":
                    assert anchor in anchors(file), (page, target)


def test_every_public_name_is_described(pages):
    (reference,) = (page for name, page in pages.items() if name.name == "reference.html")
    names = {f"boilerplate_clf.{name}" for name in boilerplate_clf.__all__ if name != "__version__"}
    assert names - reference.ids == set()
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert "`boilerplate_clf.__version__`" in text


def test_what_the_reference_shows_is_described():
    package = griffe.load("boilerplate_clf", search_paths=[ROOT / "src"], resolve_aliases=True)
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    for name in re.findall(r"^::: boilerplate_clf\.(.*)$", text, re.M):
        shown = package[name]
        assert shown.docstring is not None, name
        for part in shown.members.values() if shown.is_class else ():
            if (
                part.name.startswith("_")
                or part.is_alias
                or (part.is_attribute and "dataclass" not in shown.labels)
            ):
                continue
            assert part.docstring is not None, part.path


def test_sphinx_notation_is_gone(site):
    text = (site / "reference.html").read_text(encoding="utf-8")
    assert not re.search(r":(?:class|meth|func|mod|data|attr):|&gt;&gt;&gt;</p>|<blockquote>|<p>::", text)


def test_the_table_of_modules_has_them_all(site):
    text = (site / "architecture.html").read_text(encoding="utf-8")
    package = ROOT / "src" / "boilerplate_clf"
    for folder in {path.parent for path in package.rglob("*.py")} - {package}:
        assert f"<code>{folder.relative_to(package).as_posix()}/</code>" in text, folder
    listed = Counter(re.findall(r"<td><code>(\w+\.py)</code></td>", text))
    assert listed == Counter(path.name for path in package.rglob("*.py") if path.stem != "__init__")


def test_the_data_statement_counts_the_authored_data():
    found = {"pages": Counter(), "blocks": Counter(), "lines": Counter()}
    for name in ("pages", "pages-rehearsal", "blocks", "lines"):
        with (ROOT / "training" / "data" / f"{name}.jsonl").open(encoding="utf-8") as records:
            found[name.partition("-")[0]].update(json.loads(record)["variant"] for record in records)
    text = (ROOT / "docs" / "data-statement.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w\w): .* \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", text, re.M)
    for place, kind in enumerate(("pages", "blocks", "lines"), 1):
        assert {row[0]: int(row[place].replace(",", "")) for row in rows} == found[kind]


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)")
def test_in_a_browser_it_fits_a_phone_and_asks_nobody(site):
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 375, "height": 800})
        page.set_default_timeout(180_000)
        requests, complaints = [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        for name in ("index", "architecture", "training"):
            page.goto(f"{site.as_uri()}/{name}.html")
            too_wide = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert too_wide == 0, name
        browser.close()
    assert not complaints
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
