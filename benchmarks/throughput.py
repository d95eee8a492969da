"""How much time labelling takes, beside the extraction that it follows and beside other classifiers.

    python benchmarks/throughput.py [--data ../shared/gold/dev.jsonl] [--pages 225] [--threads 2] [--rounds 3]

Where the gold pages are not at hand, authored ones are taken. All systems get the same paragraphs, one page
a call, in one process, in turns (every round, every system); ours remembers no paragraph (cache=0) but in the
row that says so. trafilatura gets HTML that is generated from them, in two forms: bare (a `<p>` for each
paragraph), and with the markup of a news site (menus, scripts, teasers, nested boxes with attributes: some
130 kB a page, like the median of the 27 pages over 20 kB in the sources of newspaper4k 0.9.6). "Main text
only" is the case behind an extractor: both get just those paragraphs that trafilatura keeps of the real page.
Cold start and peak memory are measured in fresh processes.
"""

from __future__ import annotations

import argparse
import gc
import html
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from environment import about

from boilerplate_clf import Classifier
from boilerplate_clf.bundle import shipped_bundle
from boilerplate_clf.inference.session import Session
from boilerplate_clf.inference.windows import Window
from boilerplate_clf.training.data import read_labelled

ROOT = Path(__file__).resolve().parent.parent
AUTHORED = ROOT / "training" / "data" / "pages-rehearsal.jsonl"
Page = Sequence[str]
PEERS = ("trafilatura", "scikit-learn", "torch", "transformers")
MAIN = "main text only"
OURS, EXTRACTOR = "boilerplate_clf", "trafilatura, page markup"
BATCH = f"{OURS}, 32 pages a call"


def bare(page: Page) -> str:
    """Return the paragraphs as HTML with nothing around them."""
    body = "".join(f"<p>{html.escape(text)}</p>" for text in page)
    return f"<html><head><title>Titel</title></head><body><article>{body}</article></body></html>"


def marked_up(page: Page) -> str:
    """Return the paragraphs as the page of a news site."""
    menu = "".join(
        f'<li class="nav__item nav__item--level-{i % 3}"><a class="nav__link" href="/ressort/{i}" '
        f'data-track="nav-{i}"><span class="nav__label">Ressort {i}</span></a></li>'
        for i in range(120)
    )
    scripts = "".join(f"<script>window.c{i}={{'k':'{'x' * 1600}'}};</script>" for i in range(24))
    body = "".join(
        f'<div class="article__section" data-position="{i}"><div class="paragraph paragraph--text">'
        f'<p class="text">{html.escape(text)}</p></div></div>'
        for i, text in enumerate(page)
    )
    teasers = "".join(
        f'<article class="teaser"><a href="/a/{i}"><figure><picture><source srcset="/i/{i}.webp 1x">'
        f'<img src="/i/{i}.jpg" alt=""></picture></figure><h3 class="teaser__title">Meldung {i}</h3></a>'
        "</article>"
        for i in range(60)
    )
    return (
        '<!doctype html><html lang="de"><head><meta charset="utf-8"><title>Titel</title>'
        f"<style>{'a{b:c}' * 3000}</style>{scripts}</head><body><header><nav><ul>{menu}</ul></nav></header>"
        f"<main><article>{body}</article></main><aside>{teasers}</aside><footer><ul>{menu}</ul></footer>"
        "</body></html>"
    )


def tfidf() -> Callable[[Page], object]:
    """Return scikit-learn's TF-IDF and logistic regression, trained on authored blocks and pages."""
    from boilerplate_clf.evaluation.baselines import TfidfBaseline
    from boilerplate_clf.training.data import LabelledDocument

    documents = [*read_labelled(ROOT / "training" / "data" / "blocks.jsonl"), *read_labelled(AUTHORED)[:400]]
    model = TfidfBaseline().fit(documents)
    return lambda page: model.predict([LabelledDocument("", "", tuple(page), ("?",) * len(page))])


def pipeline_of(size: str, threads: int) -> Callable[[Page], object]:
    """Return a `transformers` pipeline with random weights, of the size of gbert-base or of our encoder."""
    import torch
    from transformers import (
        AutoConfig,
        AutoModelForSequenceClassification,
        BertConfig,
        BertForSequenceClassification,
        PreTrainedTokenizerFast,
        pipeline,
    )

    torch.set_num_threads(threads)
    encoder = ROOT / "models" / "de-news-small-encoder"
    if size == "gbert":
        model: Any = BertForSequenceClassification(BertConfig(vocab_size=31_102, num_labels=4))
    else:
        model = AutoModelForSequenceClassification.from_config(
            AutoConfig.from_pretrained(encoder, num_labels=4)
        )
    tokenizer = PreTrainedTokenizerFast.from_pretrained(encoder, model_max_length=512)
    classify = pipeline("text-classification", model=model.eval(), tokenizer=tokenizer, device="cpu")
    return lambda page: classify([text for text in page if text.strip()], truncation=True)


def main_texts(path: Path) -> list[Page]:
    """Return what trafilatura took for the main text of each page (gold pages tell), where there is any."""
    with path.open(encoding="utf-8") as stream:
        pages = [json.loads(line)["paragraphs"] for line in stream]
    kept = [[p["text"] for p in page if "trafilatura" in p.get("kept_by", ["trafilatura"])] for page in pages]
    return [page for page in kept if page]


def timed(call: Callable[[Any], object], items: Sequence[Any]) -> list[float]:
    """Return the seconds that each item took."""
    seconds = []
    for item in items:
        started = time.perf_counter()
        call(item)
        seconds.append(time.perf_counter() - started)
    return seconds


def steady(pages: Sequence[Page], kept: Sequence[Page], threads: int, rounds: int, slow_pages: int) -> None:
    """Print the table of all systems, in turns.

    Args:
        pages: all paragraphs of each page.
        kept: those that trafilatura takes for the main text, of the pages where it finds any.
        threads: of all that can use several.
        rounds: how often each system has its turn.
        slow_pages: how many pages the slowest one does.
    """
    import trafilatura

    classifier, cached = Classifier(threads=threads, cache=0), Classifier(threads=threads)
    markup, plain = [marked_up(page) for page in pages], [bare(page) for page in pages]
    accurate = Classifier("accurate", threads=threads, cache=0)
    main_text = [marked_up(text) for text in kept]
    chunks = [pages[i : i + 32] for i in range(0, len(pages), 32)]
    systems: dict[str, tuple[Callable[[Any], object], Sequence[Any]]] = {
        OURS: (classifier.predict, pages),
        BATCH: (lambda some: list(classifier.predict_batch(some)), chunks),
        f"{OURS}, pages met before": (cached.predict, pages),
        f"{OURS}, accurate": (accurate.predict, pages),
        EXTRACTOR: (trafilatura.extract, markup),
        "trafilatura, bare": (trafilatura.extract, plain),
        f"{OURS}, {MAIN}": (classifier.predict, kept),
        f"{OURS}, accurate, {MAIN}": (accurate.predict, kept),
        f"trafilatura, {MAIN}": (trafilatura.extract, main_text),
        "TF-IDF + logistic regression": (tfidf(), pages),
        "transformers pipeline, our encoder": (pipeline_of("ours", threads), pages[: slow_pages * 4]),
        "transformers pipeline, gbert-base size": (pipeline_of("gbert", threads), pages[:slow_pages]),
    }
    found: dict[str, list[list[float]]] = {name: [] for name in systems}
    for call, items in systems.values():
        timed(call, items[:2])
    gc.collect()
    gc.freeze()  # nobody pays for the objects of the others
    for _ in range(rounds):
        for name, (call, items) in systems.items():
            found[name].append(timed(call, items))

    print(
        "| system | pages | ms a page | p50 | p95 | pages/s | paragraphs/s | MB/s | time, ours = 1 |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )

    def ms(name: str, number: int) -> float:
        return 1e3 * statistics.median(sum(run[:number]) for run in found[name])

    for name in systems:
        calls = len(found[name][0])  # who is too slow for all pages is compared on those that it did
        texts = kept if MAIN in name else pages
        chunked = name == BATCH
        texts = texts if chunked else texts[:calls]
        own, once = (
            ms(name, calls) / len(texts),
            [statistics.median(t) for t in zip(*found[name], strict=True)],
        )
        low, high = ("-", "-") if chunked else (f"{1e3 * np.quantile(once, q):.2f}" for q in (0.5, 0.95))
        size = sum(len(text.encode()) for text in texts for text in text) / len(texts) / 1e6
        ours = f"{OURS}, {MAIN}" if MAIN in name else OURS
        print(
            f"| {name} | {len(texts)} | {own:.2f} | {low} | {high} | {1e3 / own:.1f} "
            f"| {1e3 / own * sum(map(len, texts)) / len(texts):.0f} | {1e3 / own * size:.3f} "
            f"| {own * len(texts) / ms(ours, len(texts)):.2f} |"
        )
    kb = [sum(len(page.encode()) for page in form) / len(form) / 1e3 for form in (markup, plain)]
    print(f"\nHTML of a page: {kb[0]:.0f} kB with page markup, {kb[1]:.0f} kB bare.")


WATCHED = """
import atexit, runpy, sys
@atexit.register
def tell():
    sys.stderr.write([line for line in open("/proc/self/status") if line.startswith("VmHWM")][0])
name, sys.argv = sys.argv[1], sys.argv[1:]
if name == "pass" or "import" in name:
    exec(name)
else:
    runpy.run_module(name, run_name="__main__", alter_sys=True)
"""


def fresh(command: list[str], repeats: int = 5) -> tuple[float, float]:
    """Return the median seconds of Python code or a module in fresh processes, and its peak memory (MB)."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", WATCHED, *command], capture_output=True, text=True)
        seconds.append(time.perf_counter() - started)
        if done.returncode:
            raise SystemExit(f"{command}: {done.stderr}")
    return statistics.median(seconds), int(done.stderr.rsplit("VmHWM:", 1)[1].split()[0]) / 1024


def cold(pages: Sequence[Page]) -> None:
    """Print cold starts and peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        article, crawl = Path(folder) / "article.txt", Path(folder) / "pages.jsonl"
        article.write_text("\n".join(pages[0]), encoding="utf-8")
        with crawl.open("w", encoding="utf-8") as stream:
            for page in pages:
                stream.write(json.dumps({"paragraphs": list(page)}) + "\n")
        code = "import sys, boilerplate_clf as b; b.Classifier().predict(open(sys.argv[1]).read())"
        program = ["boilerplate_clf.cli.main", "predict"]
        rows = {
            "`pass`": ["pass"],
            "`import onnxruntime, tokenizers`": ["import onnxruntime, tokenizers"],
            "import, load, first page": [code, str(article)],
            "CLI, one article": [*program, str(article)],
            f"CLI, {len(pages)} pages": [*program, str(crawl), "--format", "jsonl"],
        }
        print("\n| in a fresh process | seconds (median of 5) | peak MB |\n|---|---|---|")
        for name, command in rows.items():
            seconds, peak = fresh(command)
            print(f"| {name} | {seconds:.2f} | {peak:.0f} |", flush=True)


def growth(pages: Sequence[Page], threads: int) -> None:
    """Print how the cost grows with the number of paragraphs of one document, and with a line's length."""
    classifier = Classifier(threads=threads, cache=0)
    texts = [text for page in pages for text in page if text.strip()]
    print("\n| one document | seconds | ms a paragraph | seconds a MB |\n|---|---|---|---|")

    def row(name: str, document: Page | str, paragraphs: int) -> None:
        seconds = min(timed(classifier.predict, [document] * (3 if paragraphs < 10_000 else 1)))
        size = len("\n".join(document).encode() if not isinstance(document, str) else document.encode()) / 1e6
        print(
            f"| {name} | {seconds:.3f} | {1e3 * seconds / paragraphs:.3f} | {seconds / size:.2f} |",
            flush=True,
        )

    for number in (1, 10, 100, 1_000, 10_000, 100_000):
        row(f"{number:,} paragraphs", [texts[i % len(texts)] for i in range(number)], number)
    line = " ".join(texts)
    row("one line of 10 MB", (line * (10_000_000 // len(line) + 1))[:10_000_000], 1)
    joined = ["\n".join(page) for page in pages[:100]]
    seconds = sum(timed(classifier.predict, joined))
    size = sum(len(text.encode()) for text in joined) / 1e6
    print(f"| {len(joined)} ordinary pages | {seconds:.3f} | - | {seconds / size:.2f} |")


def floor(pages: Sequence[Page], threads: int) -> None:
    """Print what the encoder's arithmetic alone would take at this machine's measured int8 peak."""
    import onnx
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    size = 1024
    weight = np.random.default_rng(0).integers(-127, 127, (size, size), dtype=np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "w"], ["y"])],
        "peak",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [size, size])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [size, size])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    values = {"a": np.zeros((size, size), np.uint8)}
    peak = size**3 / min(timed(lambda v: session.run(None, v), [values] * 20))
    counted: list[int] = []

    class Counting(Session):
        def run(self, windows: Iterable[Window]) -> Any:
            windows = list(windows)
            counted.extend(len(window.ids) for window in windows)
            return super().run(windows)

    with patch("boilerplate_clf.inference.scorer.Session", Counting):
        classifier = Classifier(threads=threads)
    for page in pages:
        classifier.predict(page)
    config = json.loads(
        (ROOT / "models" / "de-news-small-encoder" / "config.json").read_text(encoding="utf-8")
    )
    hidden, inner, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    dense = layers * (4 * hidden**2 + 3 * hidden * inner)
    work = sum(tokens * dense + layers * 2 * tokens**2 * hidden for tokens in counted)
    print(
        f"\nEncoder: {len(counted) / len(pages):.2f} windows and {sum(counted) / len(pages):.0f} tokens a "
        f"page, {work / len(pages) / 1e9:.2f} G multiply-adds; int8 peak measured {peak / 1e9:.0f} G/s with "
        f"{threads} threads: at least {1e3 * work / len(pages) / peak:.2f} ms a page."
    )


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/gold/dev.jsonl"))
    parser.add_argument("--pages", type=int, default=225)
    parser.add_argument("--slow-pages", type=int, default=4, help="pages for the gbert-sized pipeline")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    source = arguments.data if arguments.data.exists() else AUTHORED
    pages = [list(document.texts) for document in read_labelled(source)][: arguments.pages]
    lengths = [len(text) for page in pages for text in page]
    print(about("python benchmarks/throughput.py", source, shipped_bundle()))
    print(
        ", ".join(f"{name} {version(name)}" for name in PEERS)
        + f"\n{len(pages)} pages, {len(lengths)} paragraphs, {sum(lengths) / len(pages):.0f} characters a "
        f"page, {statistics.mean(lengths):.0f} a paragraph (median {statistics.median(lengths):.0f}); "
        f"{arguments.threads} threads\n"
    )
    steady(
        pages,
        main_texts(source)[: arguments.pages],
        arguments.threads,
        arguments.rounds,
        arguments.slow_pages,
    )
    cold(pages)
    growth(pages, arguments.threads)
    floor(pages, arguments.threads)


if __name__ == "__main__":
    main()
