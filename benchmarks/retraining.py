"""Training on one's own labels: wall time, memory and macro-F1, beside TF-IDF in the same run.

    python benchmarks/retraining.py [--rows 300 1000] [--extend [--dev ../shared/gold/dev.jsonl]]

The rows are drawn from the authored blocks of `training/data` (four labels); with --extend they are those of
`examples/own-labels.csv`, judged on rows by another author; --dev measures what becomes of the shipped four
on labelled pages: what gets a new label is wrong there, but for `newsletter`, which our guide takes for a
subscription appeal. Each training runs in a process of its own; its peak memory is that of the whole process.
Limits asked for: 300 rows in 4 minutes, 1,000 rows in 10, 4 GB.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from boilerplate_clf import Classifier, Label
from boilerplate_clf.bundle import shipped_bundle
from boilerplate_clf.evaluation.metrics import VIEWS, confusion, f1_scores, gold_of
from boilerplate_clf.labels import LABELS
from boilerplate_clf.training.data import read_labelled

ROOT = Path(__file__).resolve().parent.parent
OWN, UNSEEN = ROOT / "examples" / "own-labels.csv", ROOT / "tests" / "data" / "own-labels-test.csv"


def write_rows(path: Path, number: int) -> None:
    """Write that many labelled paragraphs of authored blocks, whole blocks at a time."""
    lines = (ROOT / "training" / "data" / "blocks.jsonl").read_text(encoding="utf-8").splitlines()
    blocks = [json.loads(line)["paragraphs"] for line in lines]
    random.Random(0).shuffle(blocks)
    rows = [(p["text"], p["label"], f"b{i}") for i, block in enumerate(blocks) for p in block]
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "label", "document"), *rows[:number]])


def run(name: str, arguments: list[str]) -> None:
    """Train once and print what it took."""
    command = [sys.executable, "-m", "boilerplate_clf.cli.main", "train", *arguments]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    minutes = (time.monotonic() - started) / 60
    if done.returncode:
        raise SystemExit(done.stderr)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    scores = [
        line.rsplit(": ", 1)[1] for line in done.stdout.splitlines() if "macro-F1" in line or "TF-IDF" in line
    ]
    ratio = float(scores[0]) / float(scores[1]) if len(scores) > 1 else 1.0
    print(f"| {name} | {minutes:.1f} | {peak:.2f} | {' | '.join(scores)} | {ratio:.2f} |", flush=True)


def forgetting(shipped: Path, extended: Path, dev: Path) -> None:
    """Print the macro-F1 of the shipped labels with the shipped bundle and with the extended one."""
    documents = read_labelled(dev, LABELS)
    gold = gold_of(documents, LABELS)
    number = {str(label): index for index, label in enumerate(LABELS)}
    number["newsletter"] = number[Label.SUBSCRIPTION_APPEAL]
    print("\n| dev | macro-F1 text | macro-F1 all | content given a new label |\n|---|---|---|---|")
    for name, folder in (("shipped", shipped), ("extended", extended)):
        results = Classifier(folder).predict_batch(document.texts for document in documents)
        given = np.asarray([str(paragraph.label) for result in results for paragraph in result])[gold.decided]
        found = np.asarray([number.get(label, len(LABELS)) for label in given])
        scores = [
            f1_scores(confusion(gold.index[mask], found[mask], len(LABELS) + 1))[2][: len(LABELS)].mean()
            for mask in map(gold.view, VIEWS)
        ]
        new = Counter(given[(gold.index == 0) & ~np.isin(given, [str(label) for label in LABELS])].tolist())
        told = ", ".join(f"{label} {count}" for label, count in sorted(new.items())) or "none"
        print(f"| {name} | {' | '.join(f'{score:.4f}' for score in scores)} | {told} |", flush=True)


def main() -> None:
    """Train on each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="*", default=[300, 1000])
    parser.add_argument("--extend", action="store_true", help="add labels to the shipped model instead")
    parser.add_argument("--dev", type=Path, help="with --extend: labelled pages, to see what is forgotten")
    arguments = parser.parse_args()
    print("| rows | minutes | peak GB | macro-F1 | TF-IDF + LR | ratio |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        if arguments.extend:
            out = Path(folder) / "extended"
            run("250, added labels", [str(OWN), "--output", str(out), "--extend", "--eval", str(UNSEEN)])
            if arguments.dev:
                forgetting(shipped_bundle(), out, arguments.dev)
            return
        for number in arguments.rows:
            path = Path(folder) / f"{number}.csv"
            write_rows(path, number)
            run(f"{number:,}", [str(path), "--output", str(Path(folder) / f"bundle-{number}")])


if __name__ == "__main__":
    main()
