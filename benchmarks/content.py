"""How much of what is content by its origin is flagged? Law, parliament, press releases, weblogs.

    python benchmarks/content.py [--corpora ../shared/corpora] [--paragraphs 100000] [--mode balanced]

Documents are drawn from each register by chance (seeded) and cut into pages of PAGE paragraphs. Nearly all of
these texts come without a publisher's appeals, so what is flagged is an error, except where a weblog does ask
for donations: look. The trickiest (flagged ones, the surest first, then those with the least sure content)
are written to a local file for that, with their neighbours; it holds other people's text and stays out of the
project.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from environment import about

from boilerplate_clf import Classifier
from boilerplate_clf.bundle import shipped_bundle
from boilerplate_clf.files import sha256_file
from boilerplate_clf.labels import CONTENT, LABELS
from boilerplate_clf.training.corpus import iter_documents

REGISTERS = {
    "news": ("polizei_berlin", "news_fang_covid"),
    "law": ("bundesgesetze",),
    "parliament": ("bundestag_plpr", "bundestag_wp20"),
    "web": (
        "codefor_de",
        "corona_warn_app_website",
        "datenanfragen_de",
        "debian_webwml_de",
        "die_schlinge",
        "edulabs",
        "florian_latzel_blog",
        "foerbico_rpi",
        "okfn_de_blog",
    ),
}
"""Register -> corpora. The articles of news_fang_covid were scraped, and some do hold appeals."""

PAGE = 40
OF_ONE = 200
"""Paragraphs that one document may give: a session of a parliament has thousands."""

TRICKIEST = 2000


def pages(folder: Path, names: Sequence[str], number: int) -> Iterator[tuple[str, list[str]]]:
    """Yield corpus and paragraphs of pages, the larger corpus the more, ``number`` paragraphs in all."""
    documents = [(name, d) for name in names for d in iter_documents(folder / f"{name}.txt.xz")]
    random.Random(0).shuffle(documents)
    left = number
    for name, document in documents:
        for start in range(0, min(len(document), OF_ONE), PAGE):
            if left <= 0:
                return
            page = document[start : start + PAGE][:left]
            left -= len(page)
            yield name, page


def main() -> None:
    """Print the table and write the trickiest paragraphs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--paragraphs", type=int, default=100_000)
    parser.add_argument("--model", type=Path, default=shipped_bundle())
    parser.add_argument("--mode", default="balanced")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--output", type=Path, default=Path("runs/content/trickiest.jsonl"))
    arguments = parser.parse_args()
    classifier = Classifier(arguments.model, mode=arguments.mode, threads=arguments.threads)
    appeals = [label for label in LABELS if label != CONTENT]
    counts: dict[tuple[str, str], Counter[str]] = {}
    tricky: list[tuple[float, dict[str, Any]]] = []
    for register, names in REGISTERS.items():
        source = pages(arguments.corpora, names, arguments.paragraphs // len(REGISTERS))
        while chunk := list(islice(source, 256)):
            results = classifier.predict_batch([page for _, page in chunk])
            for (name, page), document in zip(chunk, results, strict=True):
                count = counts.setdefault((register, name), Counter())
                for place, p in enumerate(document):
                    count[p.label] += 1
                    # What is flagged comes first, whatever its score.
                    doubt = (p.label != CONTENT) + 1 - p.scores[CONTENT]
                    row = {"corpus": name, "label": str(p.label), "scores": p.to_dict()["scores"]}
                    around = [page[place - 1] if place else "", p.text, *page[place + 1 : place + 2]]
                    tricky.append((doubt, row | {"place": place, "text": p.text, "around": around}))
            tricky = sorted(tricky, key=lambda item: -item[0])[:TRICKIEST]
    head = " | ".join(f"`{label}`" for label in appeals)
    print(f"| register | corpus | paragraphs | flagged | {head} |\n|{'---|' * (4 + len(appeals))}")
    total: Counter[str] = Counter()
    for (register, name), count in counts.items():
        total += count
        print(row_of(register, name, count, appeals))
    print(row_of("**all**", "", total, appeals))
    files = sorted({name for _, name in counts})
    digests = ", ".join(f"{n} `{sha256_file(arguments.corpora / f'{n}.txt.xz')[:8]}`" for n in files)
    print(f"\n{about('python benchmarks/content.py', model=arguments.model)}")
    print(f"Mode {arguments.mode}. Data: {digests}.")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with arguments.output.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for _, row in tricky)
    print(f"\n{len(tricky):,} paragraphs to look at: {arguments.output}")


def row_of(register: str, name: str, count: Counter[str], appeals: Sequence[str]) -> str:
    """Return a row of the table."""
    total = count.total()
    flagged = total - count[CONTENT]
    cells = " | ".join(f"{count[label]:,}" for label in appeals)
    return f"| {register} | {name} | {total:,} | {flagged / max(1, total):.3%} | {cells} |"


if __name__ == "__main__":
    main()
