"""Putting the stages' results together to a bundle."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from boilerplate_clf.bundle.manifest import (
    ACCURATE,
    CARD,
    MANIFEST,
    MODEL,
    NGRAMS,
    TOKENIZER,
    FileEntry,
    Manifest,
)
from boilerplate_clf.files import sha256_file
from boilerplate_clf.inference.cascade import as_cascade
from boilerplate_clf.inference.chain import as_chain
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
        records: of the stages ``pretrain`` to ``calibrate``, as far as there are such stages.
    """
    bundle = run / BUNDLE
    windows = read_classifier_config(run / "finetune")[1] if config.encoder else None
    shutil.rmtree(bundle, ignore_errors=True)
    bundle.mkdir(parents=True)
    sources = {MODEL: "export", TOKENIZER: "tokenizer"} if config.encoder else {}
    if config.linear.weight:
        sources[NGRAMS] = "linear"
    files = {}
    for name, stage in sources.items():
        shutil.copy(run / stage / name, bundle / name)
        files[name] = FileEntry(sha256_file(bundle / name), (bundle / name).stat().st_size)
    calibrated = records["calibrate"]
    manifest = Manifest(
        name=config.name,
        version=config.version,
        labels=config.labels,
        keep_label=config.keep_label,
        windows=windows,
        chain=as_chain(calibrated["chain"]),
        thresholds=calibrated["thresholds"],
        precision=calibrated["precision"],
        files=files,
        ngram_weight=config.linear.weight,
        cascade=as_cascade(calibrated["cascade"]) if "cascade" in calibrated else None,
        provenance={"commit": commit(), "versions": versions(), **_provenance(records)},
    )
    manifest.write(bundle / MANIFEST)
    if "accurate" in calibrated:
        _reading_everything(manifest, records, calibrated["accurate"]).write(bundle / ACCURATE)
    write_card(bundle / CARD, manifest, records)


def _reading_everything(
    manifest: Manifest, records: dict[str, dict[str, Any]], calibrated: dict[str, Any]
) -> Manifest:
    """Return the manifest of the same files without the cascade, as calibrated for that."""
    beside = {key: value for key, value in records["calibrate"].items() if key != "cascade"}
    return replace(
        manifest,
        name=f"{manifest.name}-accurate",
        chain=as_chain(calibrated["chain"]),
        thresholds=calibrated["thresholds"],
        precision=calibrated["precision"],
        cascade=None,
        provenance={
            **manifest.provenance,
            **_provenance({**records, "calibrate": {**beside, **calibrated}}),
        },
    )


def _provenance(records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return what a stranger needs to trace the model, without the long histories."""
    left_out = {
        "linear": {"labels", "data"},
        "finetune": {"history"},
        "calibrate": {"dev", "precision", "accurate"},
    }
    found = {
        stage: {k: v for k, v in record.items() if k not in left_out.get(stage, ())}
        for stage, record in records.items()
        if stage not in ("pretrain", "export")
    }
    if "export" in records:
        found["parity"] = records["export"]["parity"]
    if "pretrain" in records:
        found["pretrain"] = {k: v for k, v in records["pretrain"].items() if k not in {"shards", "history"}}
    if "shards" in records.get("pretrain", {}):
        index = records["pretrain"]["shards"]
        found["pretrain"]["sources"] = {
            name: {"sha256": source["sha256"], "tokens": source["tokens"], "weight": source["weight"]}
            for name, source in index["sources"].items()
        }
    return {**found, "dev": records["calibrate"]["dev"]}
