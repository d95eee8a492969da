"""Labels to be added to a model: an n-gram model and a head on the model's own encoder, from few rows.

Chain and thresholds are fitted by cross-validation, to what models say of rows and pages that they were not
fitted on: nothing need be set aside, and the pages tell what a threshold costs in content.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from boilerplate_clf.bundle.load import Bundle
from boilerplate_clf.bundle.manifest import CARD, MANIFEST, MODEL, NGRAMS, TOKENIZER, FileEntry, Manifest
from boilerplate_clf.errors import TrainingError
from boilerplate_clf.evaluation.metrics import gold_of
from boilerplate_clf.extras import require
from boilerplate_clf.files import sha256_bytes
from boilerplate_clf.inference.chain import as_chain
from boilerplate_clf.inference.decide import DEFAULT_MODE
from boilerplate_clf.inference.encoder import Encoder
from boilerplate_clf.inference.ngrams import NgramScorer
from boilerplate_clf.inference.session import Session
from boilerplate_clf.labels import UNDECIDED
from boilerplate_clf.retrain.probe import feature_model, feature_width, fit_head, with_head
from boilerplate_clf.retrain.threshold import calibrate_added
from boilerplate_clf.training.calibrate import CalibrateConfig
from boilerplate_clf.training.data import LabelledDocument
from boilerplate_clf.training.linear import LinearConfig, fit_linear, linear_scores
from boilerplate_clf.training.runs import commit, versions

Floats = npt.NDArray[np.floating]

_FOLDS = 5
_LINEAR = LinearConfig(class_weight_power=0.75, max_iter=100)
_PAGE_PARAGRAPHS = 4000
"""Of the pages' article text, what a head learns from; it learns from all of their appeals."""


def fit_added(
    bundle: Bundle,
    rows: Sequence[LabelledDocument],
    pages: Sequence[LabelledDocument],
    appeals: Sequence[Sequence[bool]],
    labels: Sequence[str],
    folder: Path,
    *,
    name: str,
    encoder: bool = True,
    seed: int = 0,
) -> None:
    """Write a bundle of the added labels into the new folder ``folder``.

    Args:
        bundle: the model that they are added to.
        rows: examples of the labels, and of what is none of them.
        pages: whose paragraphs have none of the labels, but for undecided ones.
        appeals: of each page, which paragraphs are unlike an article; a head learns from all of them.
        labels: the label of all else first, then the new ones.
        folder: of the bundle.
        name: its name.
        encoder: False: the n-gram model judges alone.
        seed: of draws and folds.
    """
    encoder = encoder and bundle.model is not None
    documents = [*rows, *pages]
    number = {label: index for index, label in enumerate(labels)} | {UNDECIDED: -1}
    targets = np.asarray([number[label] for document in documents for label in document.labels])
    fold = _folds(rows, len(pages), seed)
    model, features = _features(bundle, documents) if encoder else (b"", None)
    sure = np.concatenate([np.ones(sum(map(len, rows)), bool), *(np.asarray(part, bool) for part in appeals)])
    shown = _shown(targets, sure, seed)
    fold_of = np.repeat(fold, [len(document) for document in documents])
    logits = np.zeros((len(targets), len(labels)))

    def fit(used: npt.NDArray[np.bool_]) -> tuple[NgramScorer, tuple[Floats, Floats] | None]:
        chosen = [document for document, mask in zip(documents, used, strict=True) if mask]
        ngrams = fit_linear(chosen, labels, _LINEAR)
        if features is None:
            return ngrams, None
        mask = shown & np.repeat(used, [len(document) for document in documents])
        return ngrams, fit_head(features[mask], targets[mask], len(labels))

    for part in tqdm(range(int(fold.max()) + 1), desc="cross-validation", unit="fold"):
        ngrams, head = fit(fold != part)
        out = fold_of == part
        held = [document for document, place in zip(documents, fold, strict=True) if place == part]
        logits[out] = np.concatenate(linear_scores(ngrams, held))
        if features is not None and head is not None:
            logits[out] += features[out] @ head[0] + head[1]
    ngrams, head = fit(np.ones(len(documents), bool))
    gold, ours = gold_of(documents, labels), np.arange(len(targets)) < sum(map(len, rows))
    among, articles = ours[gold.decided], gold.long & ~sure[gold.decided]
    fitted = calibrate_added(logits, gold, among, articles, CalibrateConfig(seed=seed))
    contents = {NGRAMS: ngrams.to_bytes()}
    if head is not None:
        contents[MODEL] = with_head(model, *head)
        contents[TOKENIZER] = bundle.tokenizer_json.encode()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file, content in contents.items():
        (folder / file).write_bytes(content)
    manifest = Manifest(
        name=name,
        version="1",
        labels=tuple(labels),
        keep_label=labels[0],
        windows=bundle.manifest.windows if encoder else None,
        chain=as_chain(fitted["chain"]),
        thresholds=fitted["thresholds"],
        precision=fitted["precision"],
        files={file: FileEntry(sha256_bytes(content), len(content)) for file, content in contents.items()},
        ngram_weight=1.0,
        provenance={
            "commit": commit(),
            "versions": versions(),
            "linear": asdict(_LINEAR),
            "seed": seed,
            "cross_validated": fitted["cross_validated"],
        },
    )
    manifest.write(folder / MANIFEST)
    kind = "An n-gram model, and a linear head on that model's encoder" if encoder else "An n-gram model"
    worth = fitted["cross_validated"][DEFAULT_MODE]
    (folder / CARD).write_text(
        f"# {name}\n\nLabels added to {bundle.manifest.name} {bundle.manifest.version}: "
        f"{', '.join(f'`{label}`' for label in labels[1:])}. {kind}, fitted on "
        f"{sum(map(len, rows))} rows and {len(pages)} authored pages. In cross-validation "
        f"(mode {DEFAULT_MODE}): macro-F1 {worth['rows_macro_f1']:.3f} on the rows, "
        f"{worth['articles_flagged']:.2%} of the pages' article text flagged.\n",
        encoding="utf-8",
    )


def _folds(rows: Sequence[LabelledDocument], pages: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the fold of each document: rows of one document together, their labels spread evenly."""
    splitting = require("train", "sklearn.model_selection")
    names = [row.publisher for row in rows]
    folds = min(_FOLDS, len(set(names)))
    found = np.zeros(len(rows) + pages, np.int64)
    if folds > 1:
        splitter = splitting.GroupKFold(folds, shuffle=True, random_state=seed)
        for fold, (_, part) in enumerate(splitter.split(names, groups=names)):
            found[part] = fold
    found[len(rows) :] = np.arange(pages) % max(2, folds)
    return found


def _shown(targets: npt.NDArray[np.int64], sure: npt.NDArray[np.bool_], seed: int) -> npt.NDArray[np.bool_]:
    """Return a mask of the decided paragraphs that a head learns from: those in ``sure``, and some others."""
    others = np.flatnonzero((targets >= 0) & ~sure)
    mask = (targets >= 0) & sure
    mask[np.random.default_rng(seed).permutation(others)[:_PAGE_PARAGRAPHS]] = True
    return mask


def _features(bundle: Bundle, documents: Sequence[LabelledDocument]) -> tuple[bytes, Floats]:
    """Return the model of the features, and ``(paragraphs, features)`` of all documents."""
    if bundle.model is None or bundle.manifest.windows is None:
        raise TrainingError(f"{bundle.path}: has no encoder")
    model = feature_model(bundle.model)
    width = feature_width(model)
    encoder = Encoder(bundle.tokenizer_json, Session(model, width), bundle.manifest.windows, width)
    found = [
        encoder.logits([document.model_texts()])[0]
        for document in tqdm(documents, desc="reading", unit="document")
    ]
    return model, np.concatenate(found)
