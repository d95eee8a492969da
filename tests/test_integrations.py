"""The adapters, each in the tool that it is for."""

import json
import subprocess
import sys

import pytest

from boilerplate_clf import Classifier

CONTENT = "Der Gemeinderat von Altbach hat am Montagabend den Umbau der Turnhalle beschlossen."
APPEAL = "Unterstützen Sie unsere unabhängige Arbeit: Jetzt spenden und Mitglied werden!"
TEXT = f"{CONTENT}\n{APPEAL}"
BODY = f"<article><p>{CONTENT}</p><p>{APPEAL}</p></article>"
PAGE = f"<html><head><title>Umbau</title></head><body>{BODY}</body></html>"


@pytest.fixture(scope="module")
def single():
    return Classifier(threads=1)


def test_trafilatura(single):
    trafilatura = pytest.importorskip("trafilatura", reason="trafilatura is not installed")
    from boilerplate_clf.integrations.trafilatura import clean_extracted

    text = trafilatura.extract(PAGE, favor_recall=True)
    assert APPEAL in text and clean_extracted(text, single) == CONTENT
    document = trafilatura.bare_extraction(PAGE, favor_recall=True, with_metadata=True)
    cleaned = clean_extracted(document, single)
    assert cleaned.text == CONTENT and cleaned.title == "Umbau" and APPEAL in document.text
    assert clean_extracted(document.as_dict(), single)["text"] == CONTENT
    assert clean_extracted(None, single) is None


def test_newspaper(single):
    newspaper = pytest.importorskip("newspaper", reason="newspaper4k is not installed")
    from boilerplate_clf.integrations.newspaper import clean_article

    article = newspaper.Article("https://example.org/a", language="de")
    article.text = TEXT
    assert clean_article(article, single).text == CONTENT and article.text == CONTENT


def test_fundus(single):
    pytest.importorskip("fundus", reason="Fundus is not installed")
    from fundus.parser.data import ArticleBody, ArticleSection, TextSequence

    from boilerplate_clf.integrations.fundus import clean_body

    body = ArticleBody(
        summary=TextSequence(["Altbach baut um"]),
        sections=[
            ArticleSection(headline=TextSequence([]), paragraphs=TextSequence([CONTENT, APPEAL])),
            ArticleSection(headline=TextSequence([]), paragraphs=TextSequence([APPEAL])),
            ArticleSection(headline=TextSequence(["Die Kosten"]), paragraphs=TextSequence([CONTENT])),
        ],
    )
    assert clean_body(body, single).serialize() == {
        "summary": ["Altbach baut um"],
        "sections": [
            {"headline": [], "paragraphs": [CONTENT]},
            {"headline": ["Die Kosten"], "paragraphs": [CONTENT]},
        ],
    }


CRAWL = """
import json, sys
from scrapy import Spider
from scrapy.crawler import CrawlerProcess

class Pages(Spider):
    name = "pages"
    start_urls = [sys.argv[1]]
    def parse(self, response):
        texts = response.css("p::text").getall()
        yield {"body": "\\n".join(texts)}
        yield {"body": texts}
        yield {"url": response.url}

process = CrawlerProcess({
    "ITEM_PIPELINES": {"boilerplate_clf.integrations.scrapy.CleanTextPipeline": 500},
    "BOILERPLATE_CLF_FIELD": "body", "BOILERPLATE_CLF_REMOVED": "removed",
    "BOILERPLATE_CLF_MODE": "best-guess",
    "FEEDS": {sys.argv[2]: {"format": "jsonlines", "encoding": "utf-8"}}, "LOG_LEVEL": "ERROR",
})
crawler = process.create_crawler(Pages)
process.crawl(crawler)
process.start()
print(json.dumps({k: v for k, v in crawler.stats.get_stats().items() if k.startswith("boilerplate_clf/")}))
"""


def test_scrapy(tmp_path):
    pytest.importorskip("scrapy", reason="Scrapy is not installed")
    page, items = tmp_path / "page.html", tmp_path / "items.jsonl"
    page.write_text(f"<meta charset=utf-8><p>{CONTENT}</p><p>{APPEAL}</p>", encoding="utf-8")
    # A crawl of its own process: Scrapy's reactor can be started once.
    command = [sys.executable, "-c", CRAWL, page.as_uri(), str(items)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0 and not done.stderr, done.stderr
    whole, listed, other = map(json.loads, items.read_text(encoding="utf-8").splitlines())
    assert whole["body"] == CONTENT and [p["text"] for p in whole["removed"]] == [APPEAL]
    assert listed["body"] == [CONTENT] and other == {"url": page.as_uri()}
    counts = {"items": 2, "kept": 2, "donation_request": 2}
    assert json.loads(done.stdout) == {f"boilerplate_clf/{name}": count for name, count in counts.items()}


def test_datasets(single):
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    from boilerplate_clf.integrations.tables import batch_cleaner

    table = datasets.Dataset.from_dict({"text": [TEXT, CONTENT, None], "id": [1, 2, 3]})
    found = table.map(batch_cleaner(single), batched=True)
    assert found["clean_text"][:] == [CONTENT, CONTENT, None] and found["id"][:] == [1, 2, 3]


def test_pandas_and_polars(single):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    polars = pytest.importorskip("polars", reason="polars is not installed")
    from boilerplate_clf.integrations.tables import clean_texts

    frame = pandas.DataFrame({"text": [TEXT, float("nan"), CONTENT]})
    frame["clean"] = clean_texts(frame["text"], single)
    assert frame["clean"][0] == CONTENT and pandas.isna(frame["clean"][1])
    other = polars.DataFrame({"text": [TEXT, None]})
    other = other.with_columns(polars.Series("clean", clean_texts(other["text"], single)))
    assert other["clean"].to_list() == [CONTENT, None]


def test_dolma_attributes(single):
    from boilerplate_clf.integrations.dolma import attributes

    documents = ({"id": f"d{i}", "text": TEXT if i % 2 else CONTENT} for i in range(70))
    found = list(attributes(documents, single))
    assert [row["id"] for row in found] == [f"d{i}" for i in range(70)]
    assert found[0]["attributes"] == {}
    ((name, ((start, end, score),)),) = found[1]["attributes"].items()
    assert name == "boilerplate_clf__v1__donation_request" and TEXT[start:end] == APPEAL and 0.5 < score <= 1


@pytest.mark.filterwarnings("ignore")  # of datatrove's own imports
def test_datatrove(tmp_path):
    pytest.importorskip("datatrove", reason="datatrove is not installed")
    from datatrove.data import Document
    from datatrove.pipeline.writers.jsonl import JsonlWriter

    from boilerplate_clf.integrations.datatrove import BoilerplateFilter

    writer = JsonlWriter(str(tmp_path), output_filename="dropped.jsonl", compression=None)
    block = BoilerplateFilter(exclusion_writer=writer, batch_size=2)
    documents = [Document(TEXT, "a"), Document(APPEAL, "b"), Document(CONTENT, "c")]
    kept = list(block.run(iter(documents), rank=0, world_size=1))
    assert [(d.id, d.text) for d in kept] == [("a", CONTENT), ("c", CONTENT)]
    counts = kept[0].metadata["boilerplate_clf"]
    assert counts == {"subscription_appeal": 0, "donation_request": 1, "comment_policy": 0}
    assert APPEAL in (tmp_path / "dropped.jsonl").read_text(encoding="utf-8")


def test_none_of_them_is_needed_by_the_package():
    loaded = {"trafilatura", "scrapy", "fundus", "newspaper", "datasets", "pandas", "polars", "datatrove"}
    code = "import sys, boilerplate_clf.inference.classifier; print(*sys.modules)"
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not loaded & set(done.stdout.split())
