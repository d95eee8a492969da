"""Plots of an evaluation, as PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from boilerplate_clf.files import atomic_write

matplotlib.use("Agg")  # no screen needed

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter


def _save(figure: Figure, path: Path) -> None:
    with atomic_write(path) as stream:
        figure.savefig(stream, format="png", dpi=120, bbox_inches="tight")


def plot_confusion(view: dict[str, Any], title: str, path: Path) -> None:
    """Draw the confusion matrix: shares of each gold label, with counts."""
    counts = np.asarray(view["confusion"])
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    names = [name.replace("_", " ") for name in view["labels"]]
    figure = Figure(figsize=(6.5, 5.5))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    for row in range(len(names)):
        for column in range(len(names)):
            axes.text(
                column,
                row,
                f"{counts[row, column]:,}\n{shares[row, column]:.1%}",
                ha="center",
                va="center",
                color="white" if shares[row, column] > 0.5 else "black",
                fontsize=9,
            )
    axes.set_xlabel("predicted")
    axes.set_ylabel("gold")
    axes.set_title(title)
    _save(figure, path)


def plot_reliability(view: dict[str, Any], title: str, path: Path) -> None:
    """Draw accuracy over confidence; the size of a point is the share of paragraphs."""
    bins = view["reliability"]
    figure = Figure(figsize=(5.5, 5))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
    confidence = [b["confidence"] for b in bins]
    accuracy = [b["accuracy"] for b in bins]
    axes.plot(confidence, accuracy, color="tab:blue")
    axes.scatter(confidence, accuracy, s=[20 + 300 * b["share"] for b in bins], color="tab:blue")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="confidence", ylabel="accuracy")
    axes.set_title(f"{title} (ECE {view['ece']:.3f})")
    _save(figure, path)


def plot_risk_coverage(view: dict[str, Any], title: str, path: Path) -> None:
    """Draw the error rate of the likeliest label over the share of paragraphs, surest first."""
    curve = view["risk_coverage"]
    figure = Figure(figsize=(5.5, 4))
    axes = figure.subplots()
    axes.plot([p["coverage"] for p in curve], [p["risk"] for p in curve], color="tab:blue", marker="o")
    axes.set(xlim=(0.48, 1.01), xlabel="coverage (share of paragraphs, surest first)", ylabel="error rate")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    axes.set_title(title)
    _save(figure, path)


def plot_f1(systems: dict[str, dict[str, Any]], title: str, path: Path) -> None:
    """Draw F1 per label for each system, with its interval."""
    names = list(next(iter(systems.values()))["labels"])
    figure = Figure(figsize=(8, 4.5))
    axes = figure.subplots()
    width = 0.8 / len(systems)
    for number, (system, view) in enumerate(systems.items()):
        rows = [view["labels"][name] for name in names]
        values = np.asarray([row["f1"] for row in rows])
        ends = np.asarray([row["f1_interval"] for row in rows])
        errors = np.clip([values - ends[:, 0], ends[:, 1] - values], 0, None)
        places = np.arange(len(names)) - 0.4 + width * (number + 0.5)
        axes.bar(places, values, width, yerr=errors, capsize=3, label=f"{system} ({view['macro_f1']:.3f})")
    axes.set_xticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set(ylim=(0, 1), ylabel="F1")
    axes.set_title(title)
    axes.legend(title="macro-F1", loc="upper center", bbox_to_anchor=(0.5, -0.08), ncol=2, frameon=False)
    _save(figure, path)
