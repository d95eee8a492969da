"""Short fine-tunings that differ in one thing, several seeds each: which method to believe in.

    python benchmarks/methods.py --run runs/shipped --results runs/methods.jsonl [--only NAME ...]
    python benchmarks/methods.py --results runs/methods.jsonl --table

Every run takes the same number of steps from the same encoder on the same data (a run folder with the
stages up to `selftrain`), on one thread; measured on dev, the encoder by itself, best guess. A full
fine-tuning reads some twenty times as many tokens, so differences here say which way to go, not how far.
Runs that the results file has are skipped: it may be killed, and several processes may share the list
with `--part`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from ablation import alone

from boilerplate_clf.evaluation.metrics import VIEWS
from boilerplate_clf.training.config import PipelineConfig, load_config
from boilerplate_clf.training.data import LabelledDocument, read_labelled
from boilerplate_clf.training.finetune import FinetuneConfig, finetune
from boilerplate_clf.training.loop import Schedule
from boilerplate_clf.training.runs import append_jsonl
from boilerplate_clf.training.tokenizer import load_tokenizer
from boilerplate_clf.training.trainset import TrainingData, training_data

SHORT = Schedule(learning_rate=6e-4, max_steps=400, warmup=0.1)
BASE = "as shipped"

Change = Callable[[FinetuneConfig], FinetuneConfig]


def _loss(**terms: float) -> Change:
    return lambda config: replace(config, loss=replace(config.loss, **terms))


def _rate(factor: float) -> Change:
    schedule = replace(SHORT, learning_rate=SHORT.learning_rate * factor)
    return lambda config: replace(config, schedule=schedule)


def _budgets(**tokens: int) -> Change:
    return lambda config: replace(config, budgets=replace(config.budgets, **tokens))


CHANGES: dict[str, Change] = {
    BASE: lambda config: config,
    "R-Drop, weight 1 (twice the time)": _loss(rdrop=1.0),
    "focal loss, gamma 2": _loss(focal_gamma=2.0),
    "labels weighted by frequency^-0.5": _loss(class_weight_power=0.5),
    "label smoothing 0": _loss(label_smoothing=0.0),
    "label smoothing 0.1": _loss(label_smoothing=0.1),
    "layer decay 0.8": lambda config: replace(config, layer_decay=0.8),
    "learning rate x 0.5": _rate(0.5),
    "learning rate x 2": _rate(2.0),
    "token dropout 0": lambda config: replace(config, token_dropout=0.0),
    "token dropout 0.2": lambda config: replace(config, token_dropout=0.2),
    "no averaging of weights": lambda config: replace(config, average_decay=0.0),
    "publishers' names swapped on 30 % of the pages": lambda config: replace(
        config, compose=replace(config.compose, name_swaps=0.3)
    ),
    "no wide part": lambda config: replace(config, wide_buckets=0),
    "windows of 128 tokens": _budgets(window_tokens=128, overlap_tokens=32),
    "windows of 768 tokens": _budgets(window_tokens=768),
    "paragraphs cut to 24 + 8": _budgets(head_tokens=24, tail_tokens=8),
    "paragraphs cut to 96 + 32": _budgets(head_tokens=96, tail_tokens=32),
    "gold and authored pages only, nothing composed": lambda config: replace(
        config, compose=replace(config.compose, composed_per_block=0.0, lone_per_block=0.0)
    ),
}


@dataclass(frozen=True)
class Material:
    """What all runs share."""

    data: TrainingData
    pseudo: list[LabelledDocument]
    dev: list[LabelledDocument]


def _alone(material: Material) -> Material:
    pages, blocks, carriers, facts = material.data
    data = (alone(pages), alone(blocks), carriers, facts)
    return Material(data, alone(material.pseudo), alone(material.dev))


DATA_CHANGES: dict[str, Callable[[Material], Material]] = {
    "single paragraphs, no context": _alone,
    "no self-training": lambda material: replace(material, pseudo=[]),
}


def measure(name: str, seed: int, run: Path, config: PipelineConfig, material: Material) -> dict[str, object]:
    """Fine-tune the encoder of a run folder once; return macro-F1 per view and the minutes it took."""
    base = replace(
        config.finetune, schedule=SHORT, batch_tokens=1536, average_decay=0.99, evaluate_every=0, seed=seed
    )
    if name in DATA_CHANGES:
        material = DATA_CHANGES[name](material)
    pages, blocks, carriers, _ = material.data
    tokenizer = load_tokenizer(run / "tokenizer" / "tokenizer.json")
    change = CHANGES.get(name, CHANGES[BASE])
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        record = finetune(
            change(base),
            run / "pretrain",
            tokenizer,
            pages,
            blocks,
            carriers,
            material.dev,
            Path(folder),
            pseudo=material.pseudo,
        )
    scores = record["history"][-1]
    return {
        "name": name,
        "seed": seed,
        **{f"macro_f1_{view}": scores[f"macro_f1_{view}"] for view in VIEWS},
        "training_minutes": record["minutes"],
        "all_minutes": round((time.monotonic() - started) / 60, 1),
    }


def print_table(results: Path) -> None:
    """Print mean and standard deviation per name, in Markdown."""
    rows: dict[str, list[dict[str, float]]] = defaultdict(list)
    for line in results.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        rows[record["name"]].append(record)
    print("| | macro-F1 text | macro-F1 all | against as shipped (both views) | seeds |")
    print("|---|---|---|---|---|")

    def mean(records: list[dict[str, float]]) -> float:
        return statistics.fmean(record[f"macro_f1_{view}"] for record in records for view in VIEWS)

    for name, records in rows.items():
        cells = []
        for view in VIEWS:
            values = [record[f"macro_f1_{view}"] for record in records]
            spread = statistics.stdev(values) if len(values) > 1 else float("nan")
            cells.append(f"{statistics.fmean(values):.3f} ± {spread:.3f}")
        difference = "" if name == BASE or BASE not in rows else f"{mean(records) - mean(rows[BASE]):+.3f}"
        print(f"| {name} | {' | '.join(cells)} | {difference} | {len(records)} |")


def main() -> None:
    """Run what the results file lacks, or print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=Path("configs/shipped.yaml"))
    parser.add_argument("--run", type=Path, default=Path("runs/shipped"))
    parser.add_argument("--results", type=Path, default=Path("runs/methods.jsonl"))
    methods = [*CHANGES, *DATA_CHANGES]
    parser.add_argument("--only", nargs="+", choices=methods, metavar="NAME", help="some of the methods")
    parser.add_argument(
        "--encoder",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "DIR"),
        help="the encoder of another run folder (stages tokenizer and pretrain), as a row of its own",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), metavar=("I", "N"), help="I of N")
    parser.add_argument("--table", action="store_true", help="print the results file and stop")
    arguments = parser.parse_args()
    if arguments.table:
        print_table(arguments.results)
        return
    torch.set_num_threads(1)
    config = load_config(arguments.config)
    encoders = {name: Path(folder) for name, folder in arguments.encoder}
    default = [] if encoders else methods
    names = [*encoders, *(arguments.only or default)]
    wanted = [(name, seed) for seed in arguments.seeds for name in names]
    index, parts = arguments.part
    material = None
    for name, seed in wanted[index::parts]:
        done = arguments.results.read_text(encoding="utf-8") if arguments.results.exists() else ""
        if any((r["name"], r["seed"]) == (name, seed) for r in map(json.loads, done.splitlines())):
            continue
        if material is None:
            pseudo = read_labelled(arguments.run / "selftrain" / "pages.jsonl", config.labels)
            dev = read_labelled(config.data.dev, config.labels)
            material = Material(training_data(config), pseudo, dev)
        run = encoders.get(name, arguments.run)
        append_jsonl(arguments.results, measure(name, seed, run, config, material))


if __name__ == "__main__":
    main()
