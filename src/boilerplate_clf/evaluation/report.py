"""The evaluation of a bundle: figures, beside the baselines, printed and written."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from boilerplate_clf import __version__
from boilerplate_clf.evaluation.baselines import KeywordBaseline, TfidfBaseline
from boilerplate_clf.evaluation.metrics import VIEWS, describe, gold_of
from boilerplate_clf.evaluation.plots import plot_confusion, plot_f1, plot_reliability, plot_risk_coverage
from boilerplate_clf.files import sha256_file, write_json
from boilerplate_clf.inference.classifier import Classifier
from boilerplate_clf.inference.decide import Mode, decide
from boilerplate_clf.machine import hardware
from boilerplate_clf.training.data import count_labels, read_labelled
from boilerplate_clf.training.leakage import find_leaks, refuse_pages, without_leaks
from boilerplate_clf.training.runs import versions

_FILE_WIDTH = 160


def evaluate_model(
    data: Path, model: Path | None = None, train: Sequence[Path] = (), threads: int | None = None
) -> dict[str, Any]:
    """Measure a bundle and the baselines on labelled documents.

    Args:
        data: labelled documents; "?" is left out.
        model: folder of a bundle; None is the shipped one.
        train: labelled documents for the TF-IDF baseline, which is left out without them; paragraphs that
            nearly repeat one of ``data`` are taken out, as the pipeline does for the model.
        threads: CPU threads.

    Returns:
        The report: data with digest and counts, versions, hardware, and per system and view what
        :func:`boilerplate_clf.evaluation.metrics.describe` gives.

    Raises:
        DataError: the data cannot be used.
        LeakageError: a publisher of ``data`` is in ``train``.
        BundleError: the bundle cannot be used.
    """
    classifier = Classifier(model, threads=threads)
    labels = [str(name) for name in classifier.labels]
    documents = read_labelled(data, labels)
    gold = gold_of(documents, labels)
    keep = classifier.bundle.manifest.keep_label
    results = list(classifier.predict_batch(document.texts for document in documents))
    paragraphs = [p for document in results for p in document]
    predicted = np.asarray([labels.index(str(p.label)) for p in paragraphs], np.int64)[gold.decided]
    scores = np.asarray([list(p.scores.values()) for p in paragraphs], np.float64)[gold.decided]
    systems: dict[str, dict[str, Any]] = {
        str(classifier.info.name): {v: describe(gold, predicted, v, keep, scores) for v in VIEWS}
    }
    for mode in Mode:
        if mode != classifier.mode:
            rule = classifier.decider.rule(mode)
            other = decide(scores, rule, classifier.decider.keep)
            systems[f"{classifier.info.name} ({mode})"] = {
                v: describe(gold, other, v, keep, scores) for v in VIEWS
            }
    baselines: list[Any] = [KeywordBaseline(labels)]
    if train:
        training = [document for path in train for document in read_labelled(path, labels)]
        refuse_pages(training, documents)
        leaks = find_leaks(training, documents)  # the model was not shown them either
        baselines.append(TfidfBaseline(labels).fit(without_leaks(training, leaks)))
    for baseline in baselines:
        guess = baseline.predict(documents)[gold.decided]
        systems[baseline.name] = {v: describe(gold, guess, v, keep) for v in VIEWS}
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "data": {
            "file": data.name,
            "sha256": sha256_file(data),
            "documents": len(documents),
            "publishers": len({document.publisher for document in documents}),
            "paragraphs": count_labels(documents),
        },
        "train": {path.name: sha256_file(path) for path in train},
        "model": {
            "name": classifier.info.name,
            "version": classifier.info.version,
            "manifest_sha256": sha256_file(classifier.bundle.manifest_path),
        },
        "package": __version__,
        "versions": versions(),
        "hardware": hardware(),
        "systems": systems,
    }


def print_report(report: dict[str, Any]) -> None:
    """Print the report as tables."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console.width = _FILE_WIDTH  # a file has no edge to wrap at
    data = report["data"]
    console.print(
        f"{data['file']} (sha256 {data['sha256'][:12]}): {data['documents']} documents of "
        f"{data['publishers']} publishers; {report['date']}, {report['hardware']}",
        highlight=False,
    )
    for view in VIEWS:
        table = Table(title=f"view {view}", title_justify="left", box=None, pad_edge=False)
        names = list(next(iter(report["systems"].values()))[view]["labels"])
        for column in ("system", "macro-F1 (95 %)", "content flagged", "ECE", *(f"F1 {n}" for n in names)):
            table.add_column(
                column, justify="left" if column == "system" else "right", no_wrap=column == "system"
            )
        for system, views in report["systems"].items():
            row = views[view]
            low, high = row["macro_f1_interval"]
            table.add_row(
                system,
                f"{row['macro_f1']:.3f} ({low:.3f}-{high:.3f})",
                f"{row['content_flagged']:.2%}",
                f"{row['ece']:.3f}" if "ece" in row else "-",
                *(f"{row['labels'][n]['f1']:.3f}" for n in names),
            )
        console.print(table)
    own = next(iter(report["systems"].values()))["text"]
    table = Table(title="model, view text", title_justify="left", box=None, pad_edge=False)
    for column in (
        "label",
        "precision",
        "recall",
        "F1 (95 %)",
        "paragraphs",
        *(f"as {n}" for n in own["labels"]),
    ):
        table.add_column(column, justify="left" if column == "label" else "right")
    for (name, row), counts in zip(own["labels"].items(), own["confusion"], strict=True):
        low, high = row["f1_interval"]
        table.add_row(
            name,
            f"{row['precision']:.3f}",
            f"{row['recall']:.3f}",
            f"{row['f1']:.3f} ({low:.3f}-{high:.3f})",
            str(row["support"]),
            *map(str, counts),
        )
    console.print(table)


def write_report(report: dict[str, Any], folder: Path) -> None:
    """Write ``report.json``, and plots as PNG, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "report.json", report)
    name, own = next(iter(report["systems"].items()))
    for view in VIEWS:
        plot_confusion(own[view], f"{name}, view {view}", folder / f"confusion-{view}.png")
        plot_reliability(own[view], f"{name}, view {view}", folder / f"reliability-{view}.png")
        plot_risk_coverage(own[view], f"{name}, view {view}", folder / f"risk-coverage-{view}.png")
        systems = {system: views[view] for system, views in report["systems"].items()}
        plot_f1(systems, f"{report['data']['file']}, view {view}", folder / f"f1-{view}.png")
