"""The stages of a model, from raw text to a bundle.

``tokenizer`` → ``pretrain`` → ``finetune`` → ``calibrate`` → ``export`` → ``card``

Each stage is a function of the configuration and the run folder, writes into a folder of its own
and is skipped when that folder says that it is done; a killed stage goes on from its checkpoint.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from boilerplate_clf.bundle import load_bundle
from boilerplate_clf.bundle.manifest import CARD, MANIFEST, MODEL, TOKENIZER, FileEntry, Manifest
from boilerplate_clf.errors import DataError, TrainingError
from boilerplate_clf.evaluation.metrics import VIEWS, describe, gold_of
from boilerplate_clf.files import atomic_write, sha256_file
from boilerplate_clf.inference.decide import decide, probabilities
from boilerplate_clf.inference.session import Session
from boilerplate_clf.inference.windows import WindowConfig
from boilerplate_clf.training import export as exporting
from boilerplate_clf.training.calibrate import calibrate
from boilerplate_clf.training.card import write_card
from boilerplate_clf.training.config import PipelineConfig
from boilerplate_clf.training.corpus import sample_texts
from boilerplate_clf.training.data import LabelledDocument, count_labels, read_labelled
from boilerplate_clf.training.embeddings import train_embeddings
from boilerplate_clf.training.finetune import (
    Featurizer,
    finetune,
    load_classifier,
    onnx_logits,
    predict_logits,
)
from boilerplate_clf.training.foreign import foreign_base
from boilerplate_clf.training.leakage import find_leaks, refuse_pages, without_leaks
from boilerplate_clf.training.negatives import mine
from boilerplate_clf.training.pretrain import pretrain
from boilerplate_clf.training.runs import commit, finish_stage, read_stage, versions
from boilerplate_clf.training.shards import build_shards
from boilerplate_clf.training.tokenizer import load_tokenizer, train_tokenizer

STAGES = ("tokenizer", "pretrain", "finetune", "calibrate", "export", "card")
_FP32 = "model.fp32.onnx"


class Pipeline:
    """A configuration and the folder in which its stages leave their results.

    Args:
        config: from :func:`boilerplate_clf.training.config.load_config`.
        run: folder of this run.
    """

    def __init__(self, config: PipelineConfig, run: Path) -> None:
        """Nothing is read or written yet."""
        self.config, self.run = config, run

    def stage(self, name: str) -> None:
        """Run one stage.

        Raises:
            TrainingError: an earlier stage has not been run.
            DataError: training or evaluation data cannot be used.
        """
        functions: dict[str, Callable[[], None]] = {
            "tokenizer": self.tokenizer,
            "pretrain": self.pretrain,
            "finetune": self.finetune,
            "calibrate": self.calibrate,
            "export": self.export,
            "card": self.card,
        }
        functions[name]()

    def tokenizer(self) -> None:
        """Train the vocabulary, or take the base model's."""
        folder = self.run / "tokenizer"
        if read_stage(folder) is not None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        config = self.config
        if config.base is not None:
            foreign_base(config.base, folder, self.run / "pretrain")
        else:
            texts = sample_texts(config.corpus, config.tokenizer.sample_megabytes, config.pretrain.seed)
            trained = train_tokenizer(texts, config.tokenizer.vocab_size)
            with atomic_write(folder / TOKENIZER) as stream:
                stream.write(trained.to_str(pretty=True).encode())
        finish_stage(folder, asdict(config.tokenizer), sha256=sha256_file(folder / TOKENIZER))

    def pretrain(self) -> None:
        """Shard the corpus, start the embeddings by skip-gram, train the masked language model."""
        if self.config.base is not None:
            return
        self._needs("tokenizer")
        shards, config = self.run / "shards", self.config
        if not (shards / "index.json").exists():
            build_shards(config.corpus, self.run / "tokenizer" / TOKENIZER, shards)
        start = None
        if config.embeddings.tokens:
            start = self.run / "embeddings.npy"
            if not start.exists():
                train_embeddings(
                    shards,
                    start,
                    size=config.pretrain.encoder.hidden_size,
                    tokens=config.embeddings.tokens,
                    workers=config.embeddings.workers,
                    seed=config.pretrain.seed,
                )
        pretrain(config.pretrain, shards, self.run / "pretrain", start)

    def finetune(self) -> None:
        """Train the classifier on labelled pages, authored blocks and mined negatives."""
        self._needs("tokenizer", "pretrain")
        if read_stage(self.run / "finetune") is not None:
            return
        config, data = self.config, self.config.data
        pages, blocks, carriers, facts = self.training_data()
        finetune(
            config.finetune,
            self.run / "pretrain",
            load_tokenizer(self.run / "tokenizer" / TOKENIZER),
            pages,
            blocks,
            carriers,
            read_labelled(data.dev, config.labels),
            self.run / "finetune",
            labels=config.labels,
            keep_label=config.keep_label,
            facts=facts,
        )

    def training_data(
        self,
    ) -> tuple[list[LabelledDocument], list[LabelledDocument], list[LabelledDocument], dict[str, Any]]:
        """Read pages, blocks and carriers, checked and cleaned of leaks.

        Returns:
            Pages, blocks (mined negatives included), carriers, and the facts for the record.

        Raises:
            LeakageError: a page or publisher of the evaluation data is in the training data.
        """
        config, data = self.config, self.config.data
        read = _reader(config.labels)
        pages, blocks = read(data.pages), read(data.blocks)
        dev = read((data.dev,))
        refuse_pages(pages + blocks, dev)
        seed = config.finetune.seed
        negatives = mine(data.negatives.paths, data.negatives.count, seed, topical=True)
        carriers = mine(data.carriers.paths, data.carriers.count, seed, topical=False, length=14)
        leaks = find_leaks([*pages, *blocks, *negatives, *carriers], dev + read(data.never_train))
        pages, blocks, negatives, carriers = (
            without_leaks(part, leaks) for part in (pages, blocks, negatives, carriers)
        )
        files = (*data.pages, *data.blocks, data.dev, *data.never_train)
        facts = {
            "data": {path.name: sha256_file(path) for path in files},
            "labels": {"pages": count_labels(pages), "blocks": count_labels(blocks)},
            "mined": {"negatives": len(negatives), "carriers": len(carriers)},
            "near_duplicates_removed": len(leaks),
        }
        return pages, blocks + negatives, carriers, facts

    def calibrate(self) -> None:
        """Fit temperature and thresholds on dev."""
        self._needs("finetune")
        folder = self.run / "calibrate"
        if read_stage(folder) is not None:
            return
        model, labels, windows = load_classifier(self.run / "finetune")
        dev = self._dev(labels)
        gold = gold_of(dev, labels)
        logits = np.concatenate(predict_logits(model, self._featurizer(labels, windows), dev))
        config = self.config.calibrate
        result = calibrate(logits[gold.decided], gold, self.config.keep_label, config)
        finish_stage(folder, asdict(config), dev_sha256=sha256_file(self.config.data.dev), **result)

    def export(self) -> None:
        """Write fp32 ONNX and int8, check both against torch, measure both on dev.

        Raises:
            TrainingError: the fp32 file does not say what the torch model says.
        """
        calibration = self._needs("calibrate")
        folder = self.run / "export"
        if read_stage(folder) is not None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        model, labels, windows = load_classifier(self.run / "finetune", eager=True)
        featurizer, dev = self._featurizer(labels, windows), self._dev(labels)
        exporting.export_onnx(model, windows, folder / _FP32)
        exporting.quantize(folder / _FP32, folder / MODEL)
        gold = gold_of(dev, labels)
        logits = {"torch": np.concatenate(predict_logits(model, featurizer, dev))}
        for kind, name in (("fp32", _FP32), ("int8", MODEL)):
            session = Session((folder / name).read_bytes(), len(labels))
            logits[kind] = np.concatenate(onnx_logits(session, featurizer, dev))
        parity = {
            "torch_to_fp32": exporting.compare(logits["torch"], logits["fp32"], labels),
            "fp32_to_int8": exporting.compare(logits["fp32"], logits["int8"], labels),
        }
        if (found := parity["torch_to_fp32"]["largest_difference"]) > exporting.MAX_EXPORT_DIFFERENCE:
            raise TrainingError(
                f"the ONNX file differs from torch by {found:.4f} in a logit "
                f"(limit {exporting.MAX_EXPORT_DIFFERENCE})"
            )
        keep = self.config.keep_label
        thresholds = [calibration["thresholds"][name] for name in labels]
        metrics = {}
        for kind in ("fp32", "int8"):
            scores = probabilities(logits[kind][gold.decided], calibration["temperature"])
            decided = decide(scores, thresholds, labels.index(keep))
            metrics[kind] = {view: describe(gold, decided, view, keep, scores) for view in VIEWS}
        finish_stage(folder, {}, parity=parity, dev=metrics)

    def card(self) -> None:
        """Write manifest and model card: the bundle is complete after this."""
        records = {name: self._needs(name) for name in ("finetune", "calibrate", "export")}
        records["pretrain"] = read_stage(self.run / "pretrain") or {"base": self.config.base}
        bundle, config = self.run / "bundle", self.config
        _, labels, windows = load_classifier(self.run / "finetune")
        shutil.rmtree(bundle, ignore_errors=True)
        bundle.mkdir(parents=True)
        shutil.copy(self.run / "export" / MODEL, bundle / MODEL)
        shutil.copy(self.run / "tokenizer" / TOKENIZER, bundle / TOKENIZER)
        files = {
            name: FileEntry(sha256_file(bundle / name), (bundle / name).stat().st_size)
            for name in (MODEL, TOKENIZER)
        }
        manifest = Manifest(
            name=config.name,
            version=config.version,
            labels=tuple(labels),
            keep_label=config.keep_label,
            windows=windows,
            temperature=records["calibrate"]["temperature"],
            thresholds=records["calibrate"]["thresholds"],
            files=files,
            provenance={"commit": commit(), "versions": versions(), **_provenance(records)},
        )
        with atomic_write(bundle / MANIFEST) as stream:
            stream.write(manifest.to_json().encode())
        write_card(bundle / CARD, manifest, records)

    def install(self, folder: Path) -> Path:
        """Copy the finished bundle to ``folder/<name>``, in place of an older one.

        Returns:
            The bundle's new folder.
        """
        self._needs("export")
        load_bundle(self.run / "bundle")  # raises where the card stage has not finished it
        target = folder / self.config.name
        fresh = folder / f".{self.config.name}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(self.run / "bundle", fresh)
        shutil.rmtree(target, ignore_errors=True)
        fresh.replace(target)
        return target

    def _featurizer(self, labels: Sequence[str], windows: WindowConfig) -> Featurizer:
        return Featurizer(load_tokenizer(self.run / "tokenizer" / TOKENIZER), windows, labels)

    def _dev(self, labels: Sequence[str]) -> list[LabelledDocument]:
        return read_labelled(self.config.data.dev, labels)

    def _needs(self, *stages: str) -> dict[str, Any]:
        """Return the last named stage's record.

        Raises:
            TrainingError: one of them has not been run.
        """
        record: dict[str, Any] = {}
        for name in stages:
            found = read_stage(self.run / name)
            if found is None:
                if name == "pretrain" and self.config.base is not None:
                    continue
                raise TrainingError(f"{self.run}: run the stage '{name}' first")
            record = found
        return record


def _reader(labels: Sequence[str]) -> Callable[[Sequence[Path]], list[LabelledDocument]]:
    def read(paths: Sequence[Path]) -> list[LabelledDocument]:
        for path in paths:
            if not path.exists():
                raise DataError(f"{path}: no such file: the configuration asks for it")
        return [document for path in paths for document in read_labelled(path, labels)]

    return read


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
        "finetune": {k: v for k, v in tuned.items() if k != "history"},
        "calibrate": records["calibrate"],
        "parity": made["parity"],
        "dev": made["dev"],
    }
