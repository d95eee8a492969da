"""How many appeals extractors leave in, and how many are left after `clean`.

    python benchmarks/leaks.py [../shared/gold/dev.jsonl] [--model DIR]

The labelled pages name, for each paragraph, the extractors that keep it as main text (`kept_by`;
run beforehand on the pages' HTML, versions in ../shared/gold/README.md). For each extractor the
paragraphs that it keeps of a page are one document for the classifier, as in a scraper. Printed:
appeals among the kept paragraphs before and after, and content that cleaning lost.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from boilerplate_clf import Classifier
from boilerplate_clf.files import sha256_file
from boilerplate_clf.labels import CONTENT, UNDECIDED


def main() -> None:
    """Print one row per extractor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=Path("../shared/gold/dev.jsonl"))
    parser.add_argument("--model", type=Path)
    arguments = parser.parse_args()
    classifier = Classifier(arguments.model)
    with arguments.data.open(encoding="utf-8") as stream:
        pages = [json.loads(line) for line in stream]
    names = sorted({name for page in pages for p in page["paragraphs"] for name in p.get("kept_by", ())})
    print(f"{arguments.data.name} sha256 {sha256_file(arguments.data)[:12]}, model {classifier.info}")
    print(f"{'extractor':<24}{'appeals':>9}{'left':>7}{'gone':>8}{'content':>10}{'lost':>7}{'share':>9}")
    for name in names:
        count: Counter[str] = Counter()
        for page in pages:
            kept = [p for p in page["paragraphs"] if name in p.get("kept_by", ())]
            for gold, found in zip(kept, classifier.predict([p["text"] for p in kept]), strict=True):
                if gold["label"] != UNDECIDED:
                    kind = "content" if gold["label"] == CONTENT else "appeal"
                    count[kind] += 1
                    count[f"{kind} removed"] += found.label != CONTENT
        appeals, content = count["appeal"], count["content"]
        gone, lost = count["appeal removed"], count["content removed"]
        print(
            f"{name:<24}{appeals:>9}{appeals - gone:>7}{gone / max(1, appeals):>8.1%}"
            f"{content:>10}{lost:>7}{lost / max(1, content):>9.2%}"
        )


if __name__ == "__main__":
    main()
