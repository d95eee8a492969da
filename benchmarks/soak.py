"""Millions of paragraphs through one classifier: does memory grow, do answers drift?

    python benchmarks/soak.py --paragraphs 2000000 [--model DIR] [--threads N]

Documents of 1 to 400 paragraphs of 1 to 5,000 characters are put together from authored sentences and
arbitrary characters (seeded). Between them, a probe document is labelled again and again: its scores must be
the very same numbers throughout. Then 16 threads share the classifier, and pools of forked and spawned
processes get it sent; each must say what one thread said. Memory growth is the slope of a straight line
through the resident set, leaving the first tenth out. Exit code 1: something drifted. Linux only (/proc).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from environment import about
from fuzz import ODD, SENTENCES

from boilerplate_clf import Classifier
from boilerplate_clf.bundle import shipped_bundle

ROOT = Path(__file__).resolve().parent.parent
READINGS = 100
"""Of memory, over the run."""
WARM_UP = 0.1
SHOWN = (0.1, 0.25, 0.5, 0.75, 1.0)
THREADS, WORKERS = 16, 2
SHARED = 200
"""Documents that threads and processes label."""

Scores = list[list[float]]
_SENT: list[Classifier] = []


def documents(seed: int) -> Iterator[list[str]]:
    """Yield documents of varied length without end."""
    rng = random.Random(seed)
    lines = (ROOT / "examples" / "artikel.txt").read_text(encoding="utf-8").splitlines()
    sentences = [*SENTENCES, *filter(None, lines)]
    while True:
        paragraphs = []
        for _ in range(round(400 ** rng.random())):
            kind = rng.random()
            if kind < 0.02:
                paragraphs.append("".join(rng.choice(ODD) for _ in range(3)))
            elif kind < 0.03:
                paragraphs.append("".join(chr(rng.randrange(32, 0x3000)) for _ in range(rng.randrange(5000))))
            else:
                chosen = " ".join(rng.choice(sentences) for _ in range(round(12 ** rng.random())))
                paragraphs.append(f"{rng.randrange(10**6)} {chosen}" if kind < 0.5 else chosen)
        # In one piece: odd characters bring line ends, which would make paragraphs of their own.
        yield [" ".join(p.split()) for p in paragraphs]


def scores(classifier: Classifier, document: list[str]) -> Scores:
    """Return all scores of a document."""
    return [list(p.scores.values()) for p in classifier.predict(document)]


def receive(classifier: Classifier) -> None:
    """Take the classifier that a pool was sent."""
    _SENT[:] = [classifier]


def scores_here(document: list[str]) -> Scores:
    """Label a document in a pool."""
    return scores(_SENT[0], document)


def resident() -> float:
    """Return the resident set in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def slope(readings: list[tuple[int, float]]) -> tuple[float, float]:
    """Return MB per million paragraphs, and the standard error of that."""
    x, y = np.asarray(readings, np.float64).T
    x /= 1e6
    a, b = np.polyfit(x, y, 1)
    spread = ((y - a * x - b) ** 2).sum() / max(1, len(x) - 2)
    return float(a), float(np.sqrt(spread / ((x - x.mean()) ** 2).sum()))


def soak(classifier: Classifier, total: int) -> tuple[list[tuple[int, float]], int, float]:
    """Label ``total`` paragraphs.

    Returns:
        Memory after so many paragraphs, probes that answered otherwise than the first, seconds.
    """
    probe = [text for document in islice(documents(1), 3) for text in document][:40]
    expected = scores(classifier, probe)
    done, drifted, readings = 0, 0, []
    started = time.monotonic()

    def counted() -> Iterator[list[str]]:
        fed = 0
        for document in documents(0):
            yield document
            fed += len(document)
            if fed >= total:
                return

    for document in classifier.predict_batch(counted()):
        done += len(document)
        if done >= (len(readings) + 1) * total / READINGS:
            drifted += scores(classifier, probe) != expected
            readings.append((done, resident()))
            print(f"{done:,}: {readings[-1][1]:.1f} MB, {drifted} drifted", file=sys.stderr, flush=True)
    return readings, drifted, time.monotonic() - started


def beside(
    run: Callable[[list[list[str]]], list[Scores]], given: list[list[str]], expected: list[Scores]
) -> int:
    """Return how many documents got other scores than one thread gave them."""
    return sum(a != b for a, b in zip(run(given), expected, strict=True))


def pooled(method: str, classifier: Classifier, given: list[list[str]]) -> list[Scores]:
    """Label documents in a pool of processes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads, which is the point
        pool = multiprocessing.get_context(method).Pool(WORKERS, receive, (classifier,))
    with pool:
        return pool.map(scores_here, given)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paragraphs", type=int, default=2_000_000)
    parser.add_argument("--model", type=Path, default=shipped_bundle())
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    classifier = Classifier(arguments.model, threads=arguments.threads)
    readings, drifted, seconds = soak(classifier, arguments.paragraphs)
    warm = readings[round(len(readings) * WARM_UP) :]
    growth, error = slope(warm)
    total = readings[-1][0]
    print("| | |\n|---|---|")
    print(f"| paragraphs | {total:,} in {seconds:,.0f} s ({total / seconds:,.0f} per second) |")
    shown = ", ".join(f"{readings[round(len(readings) * part) - 1][1]:,.1f}" for part in SHOWN)
    print(f"| resident set in MB after {', '.join(f'{part:.0%}' for part in SHOWN)} | {shown} |")
    print(f"| growth | {growth:+.2f} MB per million paragraphs (standard error {error:.2f}) |")
    print(f"| probes with other scores than the first | {drifted} of {len(readings)} |", flush=True)
    source = documents(2)
    given = [next(source) for _ in range(SHARED)]
    expected = [scores(classifier, document) for document in given]
    failed = drifted

    def threaded(documents: list[list[str]]) -> list[Scores]:
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(lambda document: scores(classifier, document), documents))

    ways: dict[str, Callable[[list[list[str]]], list[Scores]]] = {f"{THREADS} threads": threaded}
    for method in ("fork", "spawn"):
        ways[f"{WORKERS} processes, {method}"] = lambda d, method=method: pooled(method, classifier, d)
    for name, run in ways.items():
        other = beside(run, given, expected)
        failed += other
        print(f"| documents with other scores: {name} | {other} of {SHARED} |", flush=True)
    print(
        f"\n{about(f'python benchmarks/soak.py --paragraphs {arguments.paragraphs}', model=arguments.model)}"
    )
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
