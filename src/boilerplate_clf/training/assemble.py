"""Putting the stages' results together to a bundle."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from boilerplate_clf.bundle.manifest import CARD, MANIFEST, MODEL, NGRAMS, TOKENIZER, FileEntry, Manifest
from boilerplate_clf.files import atomic_write, sha256_file
from boilerplate_clf.inference.chain import Chain
from boilerplate_clf.training.card import write_card
from boilerplate_clf.training.config import PipelineConfig
from boilerplate_clf.training.finetune import read_classifier_config
from boilerplate_clf.training.runs import commit, versions

BUNDLE = "bundle"
"""Folder of the finished bundle in a run folder."""


def assemble(config: PipelineConfig, run: Path, records: dict[str, dict[str, Any]]) -> None:
    """Write the bundle of a run: files, manifest, model card.

    Args:
        config: of the pipeline.
        run: the run folder.
        records: of the stages ``pretrain`` to ``calibrate``.
    """
    bundle = run / BUNDLE
    labels, windows, _ = read_classifier_config(run / "finetune")
    shutil.rmtree(bundle, ignore_errors=True)
    bundle.mkdir(parents=True)
    sources = {MODEL: "export", TOKENIZER: "tokenizer"} | ({NGRAMS: "linear"} if config.linear.weight else {})
    files = {}
    for name, stage in sources.items():
        shutil.copy(run / stage / name, bundle / name)
        files[name] = FileEntry(sha256_file(bundle / name), (bundle / name).stat().st_size)
    manifest = Manifest(
        name=config.name,
        version=config.version,
        labels=tuple(labels),
        keep_label=config.keep_label,
        windows=windows,
        chain=Chain(**records["calibrate"]["chain"]),
        thresholds=records["calibrate"]["thresholds"],
        precision=records["calibrate"]["precision"],
        files=files,
        ngram_weight=config.linear.weight,
        provenance={"commit": commit(), "versions": versions(), **_provenance(records)},
    )
    with atomic_write(bundle / MANIFEST) as stream:
        stream.write(manifest.to_json().encode())
    write_card(bundle / CARD, manifest, records)


def _provenance(records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return what a stranger needs to trace the model, without the long histories."""
    tuned, made = records["finetune"], records["export"]
    pretrained = {k: v for k, v in records["pretrain"].items() if k not in {"shards", "history"}}
    if "shards" in records["pretrain"]:
        index = records["pretrain"]["shards"]
        pretrained["sources"] = {
            name: {"sha256": source["sha256"], "tokens": source["tokens"], "weight": source["weight"]}
            for name, source in index["sources"].items()
        }
    return {
        "pretrain": pretrained,
        "linear": {k: v for k, v in records["linear"].items() if k in {"config", "dev", "date", "commit"}},
        "selftrain": records["selftrain"],
        "finetune": {k: v for k, v in tuned.items() if k != "history"},
        "calibrate": {k: v for k, v in records["calibrate"].items() if k not in {"dev", "precision"}},
        "parity": made["parity"],
        "dev": records["calibrate"]["dev"],
    }
