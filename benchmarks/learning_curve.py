"""What more labelled pages bring, measured with the n-gram model alone.

    python benchmarks/learning_curve.py [--config configs/shipped.yaml] [--shares 0.125 0.25 0.5 1]

The encoder would need most of an hour for each point; the n-gram model needs a minute and is trained on
the same data. Pages of the first file under `data.pages` (gold train) are drawn by publisher, with and
without the authored pages and blocks beside them. No chain, no thresholds; measured on dev.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np

from boilerplate_clf.evaluation.metrics import VIEWS, describe, gold_of
from boilerplate_clf.files import sha256_file
from boilerplate_clf.training.config import load_config
from boilerplate_clf.training.data import LabelledDocument, read_labelled
from boilerplate_clf.training.leakage import find_leaks, without_leaks
from boilerplate_clf.training.linear import fit_linear, linear_scores
from boilerplate_clf.training.trainset import evaluation_data, read_files


def by_publisher(pages: list[LabelledDocument], share: float, seed: int) -> list[LabelledDocument]:
    """Return the pages of a share of the publishers; a larger share holds all of a smaller one."""
    publishers = sorted({page.publisher for page in pages})
    random.Random(seed).shuffle(publishers)
    chosen = set(publishers[: max(1, round(share * len(publishers)))])
    return [page for page in pages if page.publisher in chosen]


def main() -> None:
    """Print one row per share, with and without authored data."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=Path("configs/shipped.yaml"))
    parser.add_argument("--shares", type=float, nargs="+", default=[0.125, 0.25, 0.5, 1.0])
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    config = load_config(arguments.config)
    evaluation = evaluation_data(config)
    dev = read_labelled(config.data.dev, config.labels)
    gold = gold_of(dev, config.labels)
    first, *rest = config.data.pages

    def clean(paths: tuple[Path, ...]) -> list[LabelledDocument]:
        documents = read_files(paths, config.labels)
        return without_leaks(documents, find_leaks(documents, evaluation))

    real, authored = clean((first,)), clean((*rest, *config.data.blocks))
    digest = sha256_file(config.data.dev)[:12]
    print(f"{config.data.dev.name} sha256 {digest}, {first.name}, seed {arguments.seed}")
    print(f"{'pages':>6}{'publishers':>12}  {'beside them':<16}{'F1 text':>9}{'F1 all':>9}{'flagged':>9}")
    for share in arguments.shares:
        pages = by_publisher(real, share, arguments.seed)
        for name, beside in (("nothing", []), ("authored data", authored)):
            scorer = fit_linear(pages + beside, config.labels, config.linear)
            guess = np.concatenate(linear_scores(scorer, dev)).argmax(axis=1)[gold.decided]
            views = {view: describe(gold, guess, view, config.keep_label) for view in VIEWS}
            print(
                f"{len(pages):>6}{len({p.publisher for p in pages}):>12}  {name:<16}"
                f"{views['text']['macro_f1']:>9.3f}{views['all']['macro_f1']:>9.3f}"
                f"{views['text']['content_flagged']:>9.2%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
