"""Do labels stay when a text is written otherwise, or when the outlet has another name?

    python benchmarks/robustness.py [../shared/gold/dev.jsonl] [--model DIR] [--mode balanced] [--pages N]

Every page is labelled as it is and once more with each change made to all of its paragraphs; counted are the
paragraphs of four or more words (view `text`) and all paragraphs whose label differs. `lost` is content that
is flagged only with the change, `missed` an appeal that only the change turns into content. Below: authored
pages with a place for the outlet's name, labelled under many names (invented ones, and those of the data's
publishers). Seeded; two runs print the same.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import unicodedata
from collections.abc import Callable
from html.entities import codepoint2name
from pathlib import Path

from environment import about
from outlets import NAMES, PAGES

from boilerplate_clf import Classifier
from boilerplate_clf.bundle import shipped_bundle
from boilerplate_clf.labels import CONTENT

TYPO_SHARE = 0.05
"""Of the words with four or more letters."""
_LEAST_WORDS = 4
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
_STRAIGHT = str.maketrans(dict.fromkeys("„“”«»", '"') | dict.fromkeys("‚‘’‹›", "'"))
_GERMAN = re.compile(r"[„“”«»\"]([^„“”«»\"]*)[„“”«»\"]")
_WORD = re.compile(r"[A-Za-zÄÖÜäöüß]{4,}")

Change = Callable[[str, random.Random], str]


def entities(text: str, rng: random.Random) -> str:
    """Leave HTML entities in, as a careless scraper does."""
    return "".join(f"&{codepoint2name[ord(c)]};" if ord(c) in codepoint2name else c for c in text)


def typos(text: str, rng: random.Random) -> str:
    """Swap, drop or double a letter inside some words."""

    def spoil(match: re.Match[str]) -> str:
        word = match.group()
        if rng.random() >= TYPO_SHARE:
            return word
        at = rng.randrange(1, len(word) - 1)
        kinds = (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
        )
        return rng.choice(kinds)

    return _WORD.sub(spoil, text)


def soft_hyphens(text: str, rng: random.Random) -> str:
    """Put a soft hyphen into every longer word."""
    return _WORD.sub(lambda m: m.group()[:2] + "\u00ad" + m.group()[2:], text)


CHANGES: dict[str, Change] = {
    "straight quotes": lambda text, rng: text.translate(_STRAIGHT),
    "other quotes (»…«)": lambda text, rng: _GERMAN.sub(r"»\1«", text),
    "every blank an NBSP": lambda text, rng: text.replace(" ", "\u00a0"),
    "ae, oe, ue for umlauts": lambda text, rng: text.translate(_UMLAUTS),
    "ss for ß": lambda text, rng: text.replace("ß", "ss"),
    "upper case": lambda text, rng: text.upper(),
    "lower case": lambda text, rng: text.lower(),
    "two or three blanks for one": lambda text, rng: re.sub(" ", lambda _: " " * rng.randint(2, 3), text),
    "HTML entities left in": entities,
    "decomposed characters (NFD)": lambda text, rng: unicodedata.normalize("NFD", text),
    "soft hyphens": soft_hyphens,
    f"typos in {TYPO_SHARE:.0%} of the words": typos,
}


def count(pages: list[list[str]], before: list[list[str]], after: list[list[str]]) -> str:
    """Return the cells of a row."""
    changed, total, lost, missed = [0, 0], [0, 0], 0, 0
    for texts, was, now in zip(pages, before, after, strict=True):
        for text, old, new in zip(texts, was, now, strict=True):
            long = len(text.split()) >= _LEAST_WORDS
            for view in (0, 1) if long else (1,):
                total[view] += 1
                changed[view] += old != new
            lost += old == CONTENT != new
            missed += old != CONTENT == new
    shares = " | ".join(f"{c / max(1, t):.2%}" for c, t in zip(changed, total, strict=True))
    flagged = sum(label != CONTENT for labels in before for label in labels)
    return f"{shares} | {changed[1]:,} | {lost:,} | {missed:,} ({missed / max(1, flagged):.1%})"


def outlets(classifier: Classifier, names: list[str]) -> tuple[int, int, dict[str, int]]:
    """Label the authored pages under every name.

    Returns:
        Paragraphs with a name in them, pairs of paragraph and name, and how many names give
        each paragraph another label than most names do.
    """
    given = [[part.replace("{}", name) for part in page] for page in PAGES for name in names]
    found = iter([str(p.label) for p in document] for document in classifier.predict_batch(given))
    named, other = 0, {}
    for page in PAGES:
        rows = [next(found) for _ in names]
        for place, part in enumerate(page):
            labels = [row[place] for row in rows]
            usual = max(set(labels), key=labels.count)
            named += "{}" in part
            if changed := sum(label != usual for label in labels):
                other[f"{usual}: {part}"] = changed
    return named, sum(map(len, PAGES)) * len(names), other


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=Path("../shared/gold/dev.jsonl"))
    parser.add_argument("--model", type=Path, default=shipped_bundle())
    parser.add_argument("--mode", default="balanced")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--pages", type=int, help="only the first N pages")
    arguments = parser.parse_args()
    classifier = Classifier(arguments.model, mode=arguments.mode, threads=arguments.threads)
    with arguments.data.open(encoding="utf-8") as stream:
        records = [json.loads(line) for line in stream][: arguments.pages]
    pages = [[p["text"] for p in record["paragraphs"]] for record in records]

    def labels(documents: list[list[str]]) -> list[list[str]]:
        return [[str(p.label) for p in document] for document in classifier.predict_batch(documents)]

    before = labels(pages)
    flagged = sum(label != CONTENT for page in before for label in page)
    print(f"{sum(map(len, pages)):,} paragraphs of {len(pages)} pages, {flagged} flagged unchanged.\n")
    print("| change | texts changed | view `text` | view `all` | labels | lost | missed (of the flagged) |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name, change in CHANGES.items():
        rng = random.Random(0)
        written = [[change(text, rng) for text in page] for page in pages]
        touched = sum(a != b for x, y in zip(pages, written, strict=True) for a, b in zip(x, y, strict=True))
        print(f"| {name} | {touched:,} | {count(pages, before, labels(written))} |", flush=True)
    print(f"\n{about('python benchmarks/robustness.py', arguments.data, arguments.model)}")

    real = sorted({record["publisher"].rsplit(".", 1)[0] for record in records})
    print("\n| names | names tried | labels | labels that differ from the usual one |\n|---|---|---|---|")
    for kind, names in (("invented", NAMES), ("of the data's publishers", real)):
        named, total, other = outlets(classifier, list(names))
        print(f"| {kind} | {len(names)} | {total:,} | {sum(other.values())} |")
        for text, number in sorted(other.items(), key=lambda item: -item[1]):
            print(f"<!-- {number} of {len(names)}: {text} -->")
    print(f"\n{len(PAGES)} authored pages, {named} paragraphs with a name in them.")


if __name__ == "__main__":
    main()
