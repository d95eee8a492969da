"""Is an appeal found that stands by itself between two paragraphs of an article?

    python benchmarks/lone_lines.py [--model DIR|accurate]

Each line of ``lone_lines.json`` is set into each place of each of its articles (not before the second
paragraph, not behind the last), by itself. Counted are, for each mode, the appeals that get their label; the
look-alikes, which are content, that get any other label; and the paragraphs of the articles themselves that
are flagged. All of it was written for this project; no line is in the training data.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from environment import about

from boilerplate_clf import Classifier
from boilerplate_clf.bundle import find_bundle
from boilerplate_clf.inference.decide import Mode
from boilerplate_clf.labels import CONTENT

_FIRST = 2
"""The first place: behind headline and lead."""


def main() -> None:
    """Print a row for each mode."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=find_bundle, default=find_bundle())
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    texts = json.loads((Path(__file__).parent / "lone_lines.json").read_text(encoding="utf-8"))
    articles, lines = texts["articles"], texts["lines"]
    classifier = Classifier(arguments.model, threads=arguments.threads)
    cases = [
        (label, place, [*article[:place], line, *article[place:]])
        for article in articles
        for place in range(_FIRST, len(article))
        for label, given in lines.items()
        for line in given
    ]
    documents = list(classifier.predict_batch([case[2] for case in cases]))
    places = len(cases) // sum(map(len, lines.values()))
    print(f"{sum(map(len, lines.values()))} lines in {places} places of {len(articles)} articles.\n")
    appeals = [label for label in lines if label != CONTENT]
    print("| mode |", *(f"`{label}` found |" for label in appeals), "look-alikes flagged | article flagged |")
    print("|---|" + "---|" * (len(appeals) + 2))
    for mode in Mode:
        found, of, around, paragraphs = Counter[str](), Counter[str](), 0, 0
        for (label, place, _), document in zip(cases, documents, strict=True):
            labels = [str(p.label) for p in document.rethreshold(mode)]
            of[label] += 1
            found[label] += labels[place] == label
            around += sum(given != CONTENT for i, given in enumerate(labels) if i != place)
            paragraphs += len(labels) - 1
        shares = [found[label] / of[label] for label in appeals]
        print(
            f"| {mode} |",
            *(f"{share:.0%} |" for share in shares),
            f"{1 - found[CONTENT] / of[CONTENT]:.2%} | {around / paragraphs:.3%} |",
        )
    print(f"\n{about('python benchmarks/lone_lines.py', model=arguments.model)}")


if __name__ == "__main__":
    main()
