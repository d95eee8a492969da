r"""How pre-training went: losses over tokens as a plot, pseudo-perplexity as a table.

    python benchmarks/pretraining.py "first run" runs/teacher/pretrain "second run" runs/shipped/pretrain \
        --shards runs/shipped/shards --plot training/pretraining.png

Pseudo-perplexity (Salazar et al. 2020): every piece is masked by itself in turn and guessed from all
others; exp of the mean loss. It is measured on sequences cut evenly from documents that pre-training
never saw. The held-out loss in the logs masks a quarter of the pieces at once and is therefore higher.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from transformers import ModernBertForMaskedLM

from boilerplate_clf.training.runs import read_stage
from boilerplate_clf.training.tokenizer import MASK, SPECIAL_TOKENS

LENGTH = 128


def pseudo_perplexity(model: ModernBertForMaskedLM, held_out: np.ndarray, sequences: int) -> float:
    """Return the pseudo-perplexity over ``sequences`` sequences of 128 pieces."""
    starts = np.linspace(0, len(held_out) - LENGTH, sequences).astype(int)
    mask = SPECIAL_TOKENS.index(MASK)
    losses: list[float] = []
    with torch.inference_mode():
        for start in starts:
            ids = torch.from_numpy(held_out[start : start + LENGTH].astype(np.int64))
            asked = (ids >= len(SPECIAL_TOKENS)).nonzero().squeeze(1)
            rows = ids.repeat(len(asked), 1)
            rows[torch.arange(len(asked)), asked] = mask
            hidden = model.model(input_ids=rows).last_hidden_state[torch.arange(len(asked)), asked]
            scores = model.decoder(model.head(hidden))
            losses += torch.nn.functional.cross_entropy(scores, ids[asked], reduction="none").tolist()
    return math.exp(float(np.mean(losses)))


def plot(runs: dict[str, Path], path: Path) -> None:
    """Draw training and held-out loss over the tokens, one run behind the other."""
    figure = Figure(figsize=(8, 4.5))
    axes = figure.subplots()
    before = 0.0
    for number, (name, folder) in enumerate(runs.items()):
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        for key, style, width in (("train_loss", ":", 1.0), ("held_out_loss", "-", 2.0)):
            points = [(before + line["tokens"] / 1e6, line[key]) for line in lines if key in line]
            label = f"{name}, {key.replace('_', ' ')}"
            axes.plot(*zip(*points, strict=True), style, linewidth=width, color=f"C{number}", label=label)
        before += lines[-1]["tokens"] / 1e6
    axes.set(xlabel="tokens read (millions)", ylabel="loss of masked pieces (nats)")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=100, bbox_inches="tight")


def main() -> None:
    """Print the table, write the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="NAME FOLDER, once for each run, oldest first")
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--sequences", type=int, default=64)
    arguments = parser.parse_args()
    runs = dict(zip(arguments.runs[::2], map(Path, arguments.runs[1::2]), strict=True))
    held_out = np.load(arguments.shards / "held-out.npy", allow_pickle=False)
    print("| run | tokens | minutes | held-out loss | pseudo-perplexity |\n|---|---|---|---|---|")
    for name, folder in runs.items():
        record = read_stage(folder) or {}
        model = ModernBertForMaskedLM.from_pretrained(folder, use_safetensors=True).eval()
        found = pseudo_perplexity(model, held_out, arguments.sequences)
        print(
            f"| {name} | {record['tokens'] / 1e6:.1f} M | {record['minutes']} "
            f"| {record['held_out_loss']:.3f} | {found:.1f} |",
            flush=True,
        )
    if arguments.plot is not None:
        plot(runs, arguments.plot)


if __name__ == "__main__":
    main()
