"""The stages of a model, from raw text to a bundle.

``tokenizer`` → ``pretrain`` → ``linear`` → ``selftrain`` → ``finetune`` → ``export`` → ``calibrate``
→ ``card``

Each stage is a function of the configuration and the run folder, writes into a folder of its own
and is skipped when that folder says that it is done; a killed stage goes on from its checkpoint.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from boilerplate_clf.bundle import load_bundle
from boilerplate_clf.bundle.manifest import MODEL, NGRAMS, TOKENIZER
from boilerplate_clf.errors import TrainingError
from boilerplate_clf.evaluation.metrics import VIEWS, describe, gold_of
from boilerplate_clf.extras import require
from boilerplate_clf.files import atomic_write, replace_folder, sha256_file
from boilerplate_clf.inference.encoder import Encoder
from boilerplate_clf.inference.ngrams import NgramScorer
from boilerplate_clf.inference.scorer import joined_logits
from boilerplate_clf.inference.session import Session
from boilerplate_clf.inference.windows import WindowConfig
from boilerplate_clf.training import export as exporting
from boilerplate_clf.training.assemble import BUNDLE, assemble
from boilerplate_clf.training.batches import Featurizer, typical_inputs
from boilerplate_clf.training.calibrate import ChainFit, affinities, calibrate_and_measure
from boilerplate_clf.training.compose import Composer
from boilerplate_clf.training.config import PipelineConfig
from boilerplate_clf.training.corpus import sample_texts
from boilerplate_clf.training.data import LabelledDocument, count_labels, read_labelled, write_labelled
from boilerplate_clf.training.embeddings import train_embeddings
from boilerplate_clf.training.encoder import ENCODER, save_encoder
from boilerplate_clf.training.finetune import (
    finetune,
    load_classifier,
    onnx_logits,
    predict_logits,
    read_classifier_config,
)
from boilerplate_clf.training.foreign import foreign_base
from boilerplate_clf.training.fuse import fuse
from boilerplate_clf.training.leakage import find_leaks, without_leaks
from boilerplate_clf.training.linear import fit_linear, linear_scores
from boilerplate_clf.training.pretrain import pretrain
from boilerplate_clf.training.runs import finish_stage, read_stage
from boilerplate_clf.training.selftrain import label_pages, open_teacher, read_unlabelled, teacher_scores
from boilerplate_clf.training.shards import build_shards
from boilerplate_clf.training.smooth import smooth
from boilerplate_clf.training.tokenizer import load_tokenizer, train_tokenizer
from boilerplate_clf.training.trainset import TrainingData, evaluation_data, read_files, training_data

STAGES = ("tokenizer", "pretrain", "linear", "selftrain", "finetune", "export", "calibrate", "card")
_FP32, _PSEUDO = "model.fp32.onnx", "pages.jsonl"


class Pipeline:
    """A configuration and the folder in which its stages leave their results.

    Args:
        config: from :func:`boilerplate_clf.training.config.load_config`.
        run: folder of this run.
    """

    def __init__(self, config: PipelineConfig, run: Path) -> None:
        """Nothing is read or written yet."""
        self.config, self.run = config, run

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that make the bundle, in order."""
        return STAGES if self.config.encoder else ("linear", "calibrate", "card")

    def stage(self, name: str) -> None:
        """Run one stage.

        Raises:
            TrainingError: an earlier stage has not been run.
            DataError: training or evaluation data cannot be used.
        """
        # Bars for reading a small file, and reports on heads that are not used, tell a user nothing.
        chatter = require("train", "transformers.utils.logging")
        chatter.disable_progress_bar()
        chatter.set_verbosity_error()
        if name not in STAGES:
            raise ValueError(f"{name!r} is no stage")
        run: Callable[[], None] = getattr(self, name)
        run()

    def tokenizer(self) -> None:
        """Train the vocabulary, or take the base model's or the teacher's."""
        folder = self.run / "tokenizer"
        if read_stage(folder) is not None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        config = self.config
        if config.base is not None:
            foreign_base(config.base, folder, self.run / "pretrain")
        elif config.teacher is not None:
            shutil.copy(self._of_teacher("tokenizer") / TOKENIZER, folder / TOKENIZER)
        else:
            texts = sample_texts(config.corpus, config.tokenizer.sample_megabytes, config.pretrain.seed)
            trained = train_tokenizer(texts, config.tokenizer.vocab_size)
            with atomic_write(folder / TOKENIZER) as stream:
                stream.write(trained.to_str(pretty=True).encode())
        finish_stage(folder, asdict(config.tokenizer), sha256=sha256_file(folder / TOKENIZER))

    def pretrain(self) -> None:
        """Shard the corpus and train the masked language model.

        It starts from the teacher's encoder, or from embeddings trained by skip-gram.
        """
        if self.config.base is not None:
            return
        self._needs("tokenizer")
        shards, config = self.run / "shards", self.config
        if not (shards / "index.json").exists():
            build_shards(config.corpus, self.run / "tokenizer" / TOKENIZER, shards)
        embeddings = None
        if config.teacher is None and config.embeddings.tokens:
            embeddings = self.run / "embeddings.npy"
            if not embeddings.exists():
                train_embeddings(
                    shards,
                    embeddings,
                    size=config.pretrain.encoder.hidden_size,
                    tokens=config.embeddings.tokens,
                    workers=config.embeddings.workers,
                    seed=config.pretrain.seed,
                )
        start = self._of_teacher("pretrain") if config.teacher is not None else None
        pretrain(config.pretrain, shards, self.run / "pretrain", embeddings, start)

    def linear(self) -> None:
        """Fit the n-gram model on the labelled training data."""
        folder, config = self.run / "linear", self.config.linear
        if read_stage(folder) is not None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        if not config.weight:
            finish_stage(folder, asdict(config))
            return
        data, tuning = self._training_data, self.config.finetune
        blocks = data.blocks + data.lines
        composer = Composer(data.pages, blocks, data.carriers, self.config.keep_label, tuning.compose)
        number = int(len(blocks) * config.scattered_per_block)
        scattered = composer.scattered(number, random.Random(tuning.seed))
        scorer = fit_linear(data.pages + blocks + scattered, self.config.labels, config)
        with atomic_write(folder / NGRAMS) as stream:
            stream.write(scorer.to_bytes())
        dev = self._dev(self.config.labels)
        gold = gold_of(dev, self.config.labels)
        guess = np.concatenate(linear_scores(scorer, dev)).argmax(axis=1)[gold.decided]
        measured = {view: describe(gold, guess, view, self.config.keep_label) for view in VIEWS}
        digests = {path.name: sha256_file(path) for path in self.config.data.lines}
        lines = {"data": digests, "kept": len(data.lines)}
        finish_stage(folder, asdict(config), dev=measured, **data.facts, lines=lines)

    def selftrain(self) -> None:
        """Let the teacher label pages that nobody has labelled."""
        self._needs("linear")
        folder, config = self.run / "selftrain", self.config
        if read_stage(folder) is not None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        values = asdict(config.self_training) | {
            "unlabelled": [path.name for path in config.self_training.unlabelled]
        }
        if not config.self_training.unlabelled:
            finish_stage(folder, values)
            return
        session, windows, manifest = open_teacher(self._of_teacher(BUNDLE), config.labels)
        documents = read_unlabelled(config.self_training.unlabelled)
        featurizer = self._featurizer(manifest.labels, windows)
        linear = self._linear_scores(documents, manifest.labels)
        scores = [
            teacher_scores(
                manifest, document.model_texts(), onnx_logits(session, featurizer, [document])[0], ngrams
            )
            for document, ngrams in zip(tqdm(documents, desc="selftrain", unit="page"), linear, strict=True)
        ]
        pages = label_pages(
            documents, scores, config.labels, config.keep_label, config.self_training, config.finetune.seed
        )
        pages = without_leaks(pages, find_leaks(pages, evaluation_data(self.config)))
        if pages:
            write_labelled(folder / _PSEUDO, pages)
        finish_stage(
            folder,
            values,
            teacher={
                "name": manifest.name,
                "version": manifest.version,
                "onnx_sha256": manifest.files[MODEL].sha256,
            },
            data={path.name: sha256_file(path) for path in config.self_training.unlabelled},
            documents=len(documents),
            pages=len(pages),
            labels=count_labels(pages),
        )

    def finetune(self) -> None:
        """Train the classifier on labelled pages, authored blocks and mined negatives."""
        self._needs("tokenizer", "pretrain", "selftrain")
        if read_stage(self.run / "finetune") is not None:
            return
        config = self.config
        data = self._training_data
        pseudo = self.run / "selftrain" / _PSEUDO
        dev = self._dev(config.labels)
        finetune(
            config.finetune,
            self.run / "pretrain",
            load_tokenizer(self.run / "tokenizer" / TOKENIZER),
            data.pages,
            data.blocks,
            data.carriers,
            dev,
            self.run / "finetune",
            pseudo=read_labelled(pseudo, config.labels) if pseudo.exists() else (),
            ngram_share=self._ngram_share(dev, config.labels),
            labels=config.labels,
            keep_label=config.keep_label,
            cascade=config.cascade,
            facts=data.facts,
        )

    def export(self) -> None:
        """Write fp32 ONNX and int8, and check both against torch on dev.

        Raises:
            TrainingError: the fp32 file does not say what the torch model says.
        """
        self._needs("finetune")
        folder = self.run / "export"
        if read_stage(folder) is not None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        model, labels, windows = load_classifier(self.run / "finetune", eager=True)
        featurizer, dev = self._featurizer(labels, windows), self._dev(labels)
        torch_logits = np.concatenate(predict_logits(model, featurizer, dev))
        smooth(model, typical_inputs(featurizer, read_files(self.config.data.pages, labels)))
        fuse(model)
        exporting.export_onnx(model, windows, folder / _FP32)
        exporting.quantize(folder / _FP32, folder / MODEL)
        fp32, int8 = (self._onnx_logits(name, featurizer, dev) for name in (_FP32, MODEL))
        parity = {
            "torch_to_fp32": exporting.compare(torch_logits, fp32, labels),
            "fp32_to_int8": exporting.compare(fp32, int8, labels),
        }
        if (found := parity["torch_to_fp32"]["largest_difference"]) > exporting.MAX_EXPORT_DIFFERENCE:
            raise TrainingError(
                f"the ONNX file differs from torch by {found:.4f} in a logit "
                f"(limit {exporting.MAX_EXPORT_DIFFERENCE})"
            )
        finish_stage(folder, {}, parity=parity)

    def calibrate(self) -> None:
        """Fit chain and thresholds on dev to what is shipped, the int8 model, and measure every mode.

        The thresholds are those that serve the fp32 model as well.
        """
        self._needs("export" if self.config.encoder else "linear")
        folder, keep, labels = self.run / "calibrate", self.config.keep_label, self.config.labels
        if read_stage(folder) is not None:
            return
        dev, place = self._dev(labels), labels.index(keep)
        gold, lengths = gold_of(dev, labels), [len(document) for document in dev]
        affinity = affinities(read_files(self.config.data.pages, labels), labels)
        ngrams, weight = self._ngrams(labels), self.config.linear.weight
        texts = [document.model_texts() for document in dev]
        cascade = None
        if self.config.cascade is not None and ngrams is not None:
            doubt = ChainFit(np.concatenate(linear_scores(ngrams, dev)), lengths, gold, affinity, place)
            cascade = self.config.cascade.cascade(doubt.fit(), labels)
        encoders = self._exported(labels)
        logits = {
            kind: joined_logits(texts, len(labels), encoder, ngrams, weight, cascade, place)
            for kind, encoder in encoders.items()
        }
        dev_facts = (lengths, gold, affinity, keep, self.config.calibrate)
        if cascade is None:
            result = calibrate_and_measure(logits, *dev_facts)
        else:
            every = {
                f"{kind}, no cascade": joined_logits(texts, len(labels), encoder, ngrams, weight, None, place)
                for kind, encoder in encoders.items()
            }
            shipped = next(iter(every))
            result = calibrate_and_measure(logits, *dev_facts, others={shipped: every[shipped]})
            result["cascade"] = asdict(cascade)
            result["accurate"] = calibrate_and_measure(every, *dev_facts)
        dev_sha256 = sha256_file(self.config.data.dev)
        finish_stage(folder, asdict(self.config.calibrate), dev_sha256=dev_sha256, **result)

    def card(self) -> None:
        """Put the bundle together, and the encoder, each with its card."""
        made = ("linear", "selftrain", "finetune", "export", "calibrate")
        records = {name: self._needs(name) for name in made if name in self.stages}
        if self.config.encoder:
            records["pretrain"] = read_stage(self.run / "pretrain") or {"base": self.config.base}
        assemble(self.config, self.run, records)
        if self.config.encoder and self.config.base is None:
            save_encoder(self.run, self.config.name, self.config.version, records["pretrain"])

    def install(self, folder: Path) -> Path:
        """Copy the finished bundle to ``folder/<name>``, in place of an older one; the encoder beside it.

        Returns:
            The bundle's new folder.
        """
        self._needs("calibrate")
        target = folder / self.config.name
        load_bundle(self.run / BUNDLE)  # raises where the card stage has not finished it
        replace_folder(self.run / BUNDLE, target)
        if (self.run / ENCODER).exists():
            replace_folder(self.run / ENCODER, folder / f"{self.config.name}-encoder")
        return target

    @cached_property
    def _training_data(self) -> TrainingData:
        """Mined and checked for leaks once for all stages of a process: it takes minutes."""
        return training_data(self.config)

    def _featurizer(self, labels: Sequence[str], windows: WindowConfig) -> Featurizer:
        return Featurizer(load_tokenizer(self.run / "tokenizer" / TOKENIZER), windows, labels)

    def _dev(self, labels: Sequence[str]) -> list[LabelledDocument]:
        return read_labelled(self.config.data.dev, labels)

    def _onnx_logits(
        self, name: str, featurizer: Featurizer, documents: Sequence[LabelledDocument]
    ) -> npt.NDArray[np.float32]:
        """Return an exported model's logits of all paragraphs."""
        session = Session((self.run / "export" / name).read_bytes(), len(featurizer.label_ids) - 1)
        return np.concatenate(onnx_logits(session, featurizer, documents))

    def _exported(self, labels: Sequence[str]) -> dict[str, Encoder | None]:
        """Return the exported models, what is shipped first."""
        if not self.config.encoder:
            return {"n-grams": None}
        windows = read_classifier_config(self.run / "finetune")[1]
        tokenizer = (self.run / "tokenizer" / TOKENIZER).read_text(encoding="utf-8")
        return {
            kind: Encoder(
                tokenizer,
                Session((self.run / "export" / name).read_bytes(), len(labels)),
                windows,
                len(labels),
            )
            for kind, name in (("int8", MODEL), ("fp32", _FP32))
        }

    def _ngrams(self, labels: Sequence[str]) -> NgramScorer | None:
        """Return the n-gram model; None: it has no weight."""
        if not self.config.linear.weight:
            return None
        return NgramScorer.from_bytes((self.run / "linear" / NGRAMS).read_bytes(), len(labels))

    def _linear_scores(
        self, documents: Sequence[LabelledDocument], labels: Sequence[str]
    ) -> list[npt.NDArray[np.float32]]:
        """Return the n-gram model's log probabilities; zeros where there is none."""
        ngrams = self._ngrams(labels)
        if ngrams is None:
            return [np.zeros((len(document), len(labels)), np.float32) for document in documents]
        return linear_scores(ngrams, documents)

    def _ngram_share(
        self, documents: Sequence[LabelledDocument], labels: Sequence[str]
    ) -> npt.NDArray[np.float32]:
        """Return what the n-gram model adds to the logits of all paragraphs."""
        scores = np.concatenate(self._linear_scores(documents, labels))
        share: npt.NDArray[np.float32] = self.config.linear.weight * scores
        return share

    def _of_teacher(self, stage: str) -> Path:
        """Return the folder of a stage of the teacher's run.

        Raises:
            TrainingError: it is not there.
        """
        folder = Path(self.config.teacher or "") / stage
        if not folder.is_dir():
            raise TrainingError(f"{folder}: no such folder: make the teacher first")
        return folder

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
