"""Hostile texts and pages, for as long as you like: nothing may escape but the package's own errors.

    python benchmarks/fuzz.py --seconds 20 [--target text html] [--engine random|atheris] [--seed N]

Inputs are put together from a list of known troublemakers, arbitrary code points (lone surrogates too) and
ordinary sentences. The engine `atheris` (libFuzzer: `pip install atheris`) steers that by the branches that
are reached; `random` needs nothing. What must hold of each result stands in `check_text`; an input that
breaks it is written to `--findings`, and can be run again with `--replay FILE`. Exit code 1: there were
findings.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib
import json
import os
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from boilerplate_clf import Classifier

REPORT_EVERY = 300
"""Seconds: a long run that is killed has not been for nothing."""

Choose = Callable[[int], int]
"""A number from 0 to below the argument: by chance, or as the fuzzing engine has it."""

LINE_ENDS = ("\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
BLANKS = (" ", "\t", "\u00a0", "\u2009", "\u202f", "\u3000", "\u200b", "\ufeff", "\u00ad", "\u2060")
ODD = (
    "\x00",
    "\ud800",
    "\udfff",
    "\udc80\ud800",
    "\u202e",
    "\u2066",
    "\u2069",
    "\u200f",
    "e\u0301",
    "\u0301" * 40,
    "👩\u200d👩\u200d👧",
    "🇩🇪",
    "\U0010ffff",
    "ﬁ",
    "İ",
    "ẞ",
    "Ver-\nwaltung",
    "Ver\u00ad\nwaltung",
    "Ver¬\nwaltung",
    "[CLS]",
    "[SEP]",
    "[PAR]",
    "[PAD]",
    "[MASK]",
    "[UNK]",
    "[PAR][PAR]",
    "a" * 5000,
    " " * 5000,
    "\n" * 500,
    "1" * 400,
    "%s{0}${x}",
    "\x1b[31m",
)
SENTENCES = (
    "Der Rat tagt am Montag im Rathaus.",
    "Lesen Sie vier Wochen lang für 1 Euro, danach 9,90 Euro im Monat.",
    "Unterstützen Sie unsere Arbeit mit einer Spende!",
    "Bitte bleiben Sie sachlich; die Redaktion prüft jeden Beitrag.",
    "Jetzt anmelden",
)
TAGS = (
    "<p>",
    "</p>",
    "<div>",
    "</div>",
    "<article>",
    "</article>",
    "<br>",
    "<script>",
    "</script>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<table><tr><td>",
    "</table>",
    "<a href='x'>",
    '<meta charset="utf-16">',
    '<script type="application/ld+json">{"isAccessibleForFree": "False"',
    "&nbsp;",
    "&#0;",
    "&#xD800;",
    "&#x110000;",
    "&amp;lt;p&gt;",
    "<?xml version='1.0' encoding='x'?>",
    "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>&b;",
    "<" * 300,
    "<div>" * 300,
    "<p style='",
    "<title>",
    "<svg><math><mi>",
    "<textarea>",
)


def make_text(choose: Choose, pieces: tuple[str, ...] = ()) -> str:
    """Put a text together."""
    kinds = (LINE_ENDS, BLANKS, ODD, SENTENCES, SENTENCES, *((pieces,) * 4 if pieces else ()))
    parts = []
    for _ in range(choose(24)):
        kind = choose(len(kinds) + 1)
        if kind == len(kinds):
            parts.append("".join(chr(choose(0x110000)) for _ in range(choose(8))))
        else:
            parts.append(kinds[kind][choose(len(kinds[kind]))])
    return "".join(parts)


def check_text(classifier: Classifier, text: str) -> None:
    """Raise AssertionError where a result is not what README.md says of every result."""
    from boilerplate_clf.inference.removal import restore

    document = classifier.predict(text)
    end = 0
    for index, p in enumerate(document):
        assert p.index == index and end <= p.start < p.end <= len(text), "order"
        assert text[p.start : p.end] == p.text, "offsets"
        end = p.end
        values = np.asarray(list(p.scores.values()))
        assert np.isfinite(values).all() and (values >= 0).all() and abs(values.sum() - 1) < 1e-6, "scores"
        assert p.score == p.scores[p.label] and p.raw_label in p.scores, "label"
    removal = document.removal()
    assert restore(document.clean_text, removal["cuts"]) == text, "restore"
    json.loads(json.dumps(document.to_dict()))
    # A sequence keeps its items, and what stands in one of them makes no second one.
    listed = classifier.predict([text, *(p.text for p in document[:3])])
    assert len(listed) == 1 + min(3, len(document)), "slots"


def check_html(classifier: Classifier, page: str) -> None:
    """Raise AssertionError where a page's result is not one."""
    from boilerplate_clf.errors import InputError

    for given in (page, page.encode("utf-8", "surrogatepass")):
        try:
            document = classifier.predict_html(given)
        except InputError:
            continue
        assert all(p.text and abs(sum(p.scores.values()) - 1) < 1e-6 for p in document), "page"


TARGETS: dict[str, Callable[[Classifier, str], None]] = {"text": check_text, "html": check_html}


class Harness:
    """Runs inputs and keeps what breaks.

    Args:
        classifier: to be tried.
        targets: names in :data:`TARGETS`.
        folder: for the findings.
    """

    def __init__(self, classifier: Classifier, targets: list[str], folder: Path) -> None:
        """Start counting."""
        self.classifier, self.targets, self.folder = classifier, targets, folder
        self.runs: Counter[str] = Counter()
        self.slowest = 0.0
        self.findings: dict[str, Path] = {}
        self.started = time.monotonic()
        self.next_report = self.started + REPORT_EVERY

    def one(self, choose: Choose) -> None:
        """Make an input and try it."""
        target = self.targets[choose(len(self.targets))]
        text = make_text(choose, TAGS if target == "html" else ())
        self.runs[target] += 1
        begun = time.monotonic()
        try:
            TARGETS[target](self.classifier, text)
        except Exception as error:
            # One finding for each place that raises: the same fault would fill the disk.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{target}-{type(error).__name__}-{Path(frame.filename).stem}-{frame.lineno}"
            if place not in self.findings:
                self.folder.mkdir(parents=True, exist_ok=True)
                self.findings[place] = self.folder / f"{place}.json"
                told = {"target": target, "input": text, "error": traceback.format_exc()}
                self.findings[place].write_text(json.dumps(told, indent=2))
                print(f"finding: {self.findings[place]}", file=sys.stderr, flush=True)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        if time.monotonic() > self.next_report:
            self.report("so far")

    def report(self, engine: str) -> None:
        """Print what was run."""
        self.next_report = time.monotonic() + REPORT_EVERY
        seconds, used = time.monotonic() - self.started, time.process_time()
        counts = ", ".join(f"{name} {count:,}" for name, count in sorted(self.runs.items()))
        print(
            f"{datetime.date.today()}, engine {engine}, {seconds:.0f} s ({used:.0f} s of CPU): "
            f"{sum(self.runs.values()):,} executions ({counts}), "
            f"slowest {self.slowest:.2f} s, {len(self.findings)} findings",
            flush=True,
        )


def run_random(harness: Harness, seconds: float, seed: int) -> None:
    """Try inputs made by chance until the time is over."""
    rng = random.Random(seed)
    while time.monotonic() - harness.started < seconds:
        harness.one(rng.randrange)
    harness.report("random")


def run_atheris(harness: Harness, seconds: float, seed: int) -> None:
    """Try inputs that libFuzzer steers until the time is over; does not return."""
    import atheris

    def one(data: bytes) -> None:
        provider = atheris.FuzzedDataProvider(data)
        harness.one(lambda stop: provider.ConsumeIntInRange(0, stop - 1))
        if time.monotonic() - harness.started >= seconds:
            harness.report("atheris")
            # libFuzzer takes an orderly exit for a crash.
            os._exit(1 if harness.findings else 0)

    options = [f"-seed={seed + 1}", "-max_len=2048", "-len_control=0", "-rss_limit_mb=4096", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


def load(engine: str, model: Path | None) -> Classifier:
    """Load the classifier; what is imported here is what atheris watches."""
    watched: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if engine == "atheris":
        import atheris

        watched = atheris.instrument_imports(
            include=["boilerplate_clf", "trafilatura", "htmldate", "justext"]
        )
    with watched:
        for name in (
            "trafilatura",
            "boilerplate_clf.inference.classifier",
            "boilerplate_clf.inference.removal",
        ):
            with contextlib.suppress(ModuleNotFoundError):  # predict_html says which extra is missing
                importlib.import_module(name)
    from boilerplate_clf import Classifier

    return Classifier(model, threads=1)


def main() -> None:
    """Fuzz."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--target", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument("--engine", choices=["random", "atheris"], default="random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--findings", type=Path, default=Path("runs/fuzz"))
    parser.add_argument("--replay", type=Path, help="a file of --findings")
    arguments = parser.parse_args()
    classifier = load(arguments.engine, arguments.model)
    if arguments.replay:
        told = json.loads(arguments.replay.read_text())
        TARGETS[told["target"]](classifier, told["input"])
        print("holds now")
        return
    harness = Harness(classifier, arguments.target, arguments.findings)
    drive = run_atheris if arguments.engine == "atheris" else run_random
    drive(harness, arguments.seconds, arguments.seed)
    raise SystemExit(1 if harness.findings else 0)


if __name__ == "__main__":
    main()
