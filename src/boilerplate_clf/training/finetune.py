"""Fine-tuning: from a pre-trained encoder to a classifier of paragraphs."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import AutoConfig, AutoModel, PreTrainedModel

from boilerplate_clf.evaluation.metrics import VIEWS, gold_of, macro_f1
from boilerplate_clf.files import write_json
from boilerplate_clf.inference.session import Session
from boilerplate_clf.inference.windows import Window, WindowConfig, make_windows
from boilerplate_clf.labels import CONTENT, LABELS
from boilerplate_clf.training.batches import (
    Budgets,
    Example,
    Featurizer,
    collate,
    draw_asked,
    drop_tokens,
    make_batches,
    window_config,
)
from boilerplate_clf.training.calibrate import CascadeConfig
from boilerplate_clf.training.compose import ComposeConfig, Composer
from boilerplate_clf.training.data import LabelledDocument, count_labels
from boilerplate_clf.training.loop import Schedule, State, Trainer, pick_device, seed_everything
from boilerplate_clf.training.losses import (
    LossConfig,
    class_weights,
    classification_loss,
    divergence,
)
from boilerplate_clf.training.model import ParagraphClassifier
from boilerplate_clf.training.runs import finish_stage, read_stage
from boilerplate_clf.training.tokenizer import MASK, token_id

WEIGHTS, MODEL_CONFIG = "classifier.safetensors", "classifier.json"


@dataclass(frozen=True)
class FinetuneConfig:
    """Fine-tuning of the classifier."""

    schedule: Schedule = field(default_factory=lambda: Schedule(learning_rate=4e-4, max_steps=4_000))
    budgets: Budgets = field(default_factory=Budgets)
    compose: ComposeConfig = field(default_factory=ComposeConfig)
    batch_tokens: int = 3072
    wide_buckets: int = 2**16
    dropout: float = 0.1
    head_factor: float = 3.0
    """Learning rate of the new layers as a multiple of the encoder's."""
    layer_decay: float = 1.0
    """Each layer's learning rate as a multiple of the one above it."""
    loss: LossConfig = field(default_factory=LossConfig)
    token_dropout: float = 0.1
    """Mean share of the pieces that training hides behind [MASK]; each window draws its own share
    between 0 and twice this."""
    cascade_share: float = 0.0
    """Share of the documents that are shown as the encoder gets them behind the cascade, if there is one."""
    average_decay: float = 0.998
    """Of the exponential moving average of the weights, which is what is evaluated and kept."""
    evaluate_every: int = 400
    seed: int = 0


def predict_logits(
    model: nn.Module, featurizer: Featurizer, documents: Sequence[LabelledDocument]
) -> list[npt.NDArray[np.float32]]:
    """Return the torch model's ``(paragraphs, labels)`` logits of each document."""
    device = next(model.parameters()).device
    model.eval()

    def run(windows: Sequence[Window]) -> list[npt.NDArray[np.float32]]:
        order = sorted(range(len(windows)), key=lambda i: len(windows[i].ids))
        results: dict[int, npt.NDArray[np.float32]] = {}
        with torch.no_grad():
            for at in range(0, len(order), 8):
                chunk = order[at : at + 8]
                examples = [Example(windows[i], []) for i in chunk]
                ids, markers, _ = collate(examples, featurizer.windows.pad_id)
                logits = model(ids.to(device), markers.to(device)).float().cpu().numpy()
                for row, index in enumerate(chunk):
                    results[index] = logits[row, : len(windows[index].markers)]
        return [results[i] for i in range(len(windows))]

    return _stitch(run, featurizer, documents)


def onnx_logits(
    session: Session, featurizer: Featurizer, documents: Sequence[LabelledDocument]
) -> list[npt.NDArray[np.float32]]:
    """Return an ONNX model's ``(paragraphs, labels)`` logits of each document."""
    return _stitch(session.run, featurizer, documents)


def _stitch(
    run: Callable[[Sequence[Window]], list[npt.NDArray[np.float32]]],
    featurizer: Featurizer,
    documents: Sequence[LabelledDocument],
) -> list[npt.NDArray[np.float32]]:
    """Read each paragraph's logits off the window that keeps it."""
    made = [make_windows(featurizer.encode(document), featurizer.windows) for document in documents]
    logits = iter(run([window for windows in made for window in windows]))
    results = []
    for document, windows in zip(documents, made, strict=True):
        part = np.zeros((len(document), len(featurizer.label_ids) - 1), np.float32)
        for window in windows:
            scores = next(logits)
            for index in window.keep:
                part[index] = scores[index - window.first]
        results.append(part)
    return results


def load_encoder(base: Path | str, dropout: float) -> PreTrainedModel:
    """Load a checkpoint (safetensors only, no remote code) and set its dropout."""
    encoder = AutoModel.from_pretrained(
        str(base), trust_remote_code=False, use_safetensors=True, dtype=torch.float32
    )
    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = dropout
    return cast(PreTrainedModel, encoder)


def save_classifier(
    model: ParagraphClassifier, folder: Path, labels: Sequence[str], windows: WindowConfig
) -> None:
    """Write weights (safetensors) and the configuration to rebuild them."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}, folder / WEIGHTS)
    write_json(
        folder / MODEL_CONFIG,
        {
            "labels": list(labels),
            "windows": asdict(windows),
            "wide_buckets": model.wide_buckets,
        },
    )
    model.encoder.config.save_pretrained(folder)


def read_classifier_config(folder: Path) -> tuple[list[str], WindowConfig, int]:
    """Return labels, windows and the size of the wide table of a saved classifier."""
    values = json.loads((folder / MODEL_CONFIG).read_text(encoding="utf-8"))
    return values["labels"], WindowConfig(**values["windows"]), values["wide_buckets"]


def load_classifier(
    folder: Path, *, eager: bool = False
) -> tuple[ParagraphClassifier, list[str], WindowConfig]:
    """Rebuild what :func:`save_classifier` wrote, in evaluation mode.

    Args:
        folder: of the fine-tuning stage.
        eager: plain attention, which exports to a plain graph.
    """
    labels, windows, wide_buckets = read_classifier_config(folder)
    config = AutoConfig.from_pretrained(str(folder))
    encoder = AutoModel.from_config(  # type: ignore[no-untyped-call]
        config, attn_implementation="eager" if eager else "sdpa"
    )
    model = ParagraphClassifier(encoder, len(labels), windows.marker_id, windows.pad_id, wide_buckets)
    model.load_state_dict(load_file(folder / WEIGHTS))
    return model.eval(), labels, windows


def finetune(
    config: FinetuneConfig,
    base: Path | str,
    tokenizer: Tokenizer,
    pages: Sequence[LabelledDocument],
    blocks: Sequence[LabelledDocument],
    carriers: Sequence[LabelledDocument],
    dev: Sequence[LabelledDocument],
    output: Path,
    *,
    pseudo: Sequence[LabelledDocument] = (),
    ngram_share: npt.NDArray[np.float32] | None = None,
    labels: Sequence[str] = LABELS,
    keep_label: str = CONTENT,
    cascade: CascadeConfig | None = None,
    facts: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Fine-tune ``base`` and keep the weights with the best macro-F1 on ``dev``.

    ``dev`` is measured on, never trained on. A killed run goes on from its checkpoint.

    Args:
        config: of the stage.
        base: folder or hub id of the encoder.
        tokenizer: of the encoder.
        pages: labelled pages.
        blocks: authored blocks and mined negatives.
        carriers: articles into which blocks are set.
        dev: labelled pages of other publishers.
        output: folder of the stage.
        pseudo: pages labelled by a teacher.
        ngram_share: ``(paragraphs of dev, labels)``, what the n-gram model adds to the logits: the
            weights are kept that are best together with it.
        labels: names of the model's outputs.
        keep_label: the label of article text.
        cascade: behind which the model will read.
        facts: for the record.

    Returns:
        The stage's record with the history of dev scores.
    """
    if (record := read_stage(output)) is not None:
        return record
    seed_everything(config.seed)
    featurizer = Featurizer(tokenizer, window_config(tokenizer, config.budgets), labels)
    encoder = load_encoder(base, config.dropout)
    model = ParagraphClassifier(
        encoder,
        len(labels),
        featurizer.windows.marker_id,
        featurizer.windows.pad_id,
        config.wide_buckets,
        config.dropout,
    ).to(pick_device())
    decay = get_ema_multi_avg_fn(config.average_decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(model, multi_avg_fn=decay)
    composer = Composer(pages, blocks, carriers, keep_label, config.compose, pseudo)
    rng = random.Random(config.seed)
    hider = torch.Generator().manual_seed(config.seed)
    w = featurizer.windows
    special = (w.cls_id, w.sep_id, w.pad_id, w.marker_id)
    mask_id = token_id(tokenizer, MASK) if config.token_dropout else -1
    counts = count_labels([*pages, *blocks])
    weights = class_weights([counts.get(label, 0) for label in labels], config.loss.class_weight_power)

    def examples_of(document: LabelledDocument) -> list[Example]:
        if cascade is None or rng.random() >= config.cascade_share:
            return featurizer.examples(document)
        asked = draw_asked(document.labels, keep_label, rng)
        return featurizer.asked_examples(document, asked, cascade)

    def batches() -> Iterator[list[Example]]:
        while True:
            examples = [example for document in composer.epoch(rng) for example in examples_of(document)]
            yield from make_batches(examples, config.batch_tokens, rng)

    def loss_of(batch: list[Example]) -> tuple[torch.Tensor, int]:
        if trainer.state.step:
            average.update_parameters(model)
        device = trainer.device
        ids, markers, gold = collate(batch, featurizer.windows.pad_id)
        markers, gold = markers.to(device), gold.to(device).flatten()

        def run() -> torch.Tensor:
            seen = ids
            if config.token_dropout:
                seen = drop_tokens(ids, config.token_dropout, mask_id, special, hider)
            return cast(torch.Tensor, model(seen.to(device), markers)).flatten(0, 1).float()

        passes = [run() for _ in range(2 if config.loss.rdrop else 1)]
        losses = [classification_loss(logits, gold, config.loss, weights.to(device)) for logits in passes]
        loss = torch.stack(losses).mean()
        if config.loss.rdrop:
            loss = loss + config.loss.rdrop * divergence(passes[0], passes[1], gold)
        return loss, ids.numel()

    trainer = Trainer(
        model,
        config.schedule,
        output,
        loss_of,
        save_extra=lambda: {"average": average.state_dict()},
        head_factor=config.head_factor,
        layer_decay=config.layer_decay,
    )
    if (saved := trainer.resume()) is not None:
        average.load_state_dict(saved["average"])
        # A resumed run starts a new epoch, with draws of its own.
        hider.manual_seed(config.seed + trainer.state.step)
        rng.seed(f"{config.seed}-{trainer.state.step}")
    gold = gold_of(dev, labels)
    history: list[dict[str, Any]] = []

    def evaluate(state: State) -> None:
        logits = np.concatenate(predict_logits(average.module, featurizer, dev))
        if ngram_share is not None:
            logits += ngram_share
        predicted = logits.argmax(axis=1)[gold.decided]
        scores = {
            f"macro_f1_{view}": round(macro_f1(gold.index[mask], predicted[mask], len(labels)), 4)
            for view, mask in ((view, gold.view(view)) for view in VIEWS)
        }
        history.append({"step": state.step, **scores})
        trainer.log(**scores)
        score = sum(scores.values()) / len(scores)
        if -score < state.best:
            state.best = -score
            save_classifier(cast(ParagraphClassifier, average.module), output, labels, featurizer.windows)

    state = trainer.run(batches(), every=config.evaluate_every, on_step=evaluate, title="finetune")
    evaluate(state)
    return finish_stage(
        output,
        asdict(config),
        steps=state.step,
        tokens=state.tokens,
        minutes=round(state.seconds / 60, 1),
        best=-state.best,
        history=history,
        **(facts or {}),
    )
