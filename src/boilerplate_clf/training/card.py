"""The model card: written by the pipeline from what it measured, never by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boilerplate_clf.bundle.manifest import Manifest
from boilerplate_clf.files import atomic_write


def write_card(path: Path, manifest: Manifest, records: dict[str, dict[str, Any]]) -> None:
    """Write the card of a bundle.

    Args:
        path: of the Markdown file.
        manifest: the bundle's.
        records: of the stages ``pretrain``, ``finetune``, ``calibrate`` and ``export``.
    """
    with atomic_write(path) as stream:
        stream.write(render_card(manifest, records).encode())


def render_card(manifest: Manifest, records: dict[str, dict[str, Any]]) -> str:
    """Return the card as Markdown."""
    parts = [
        f"# {manifest.name} {manifest.version}",
        "Written by `boilerplate-clf pipeline card`; do not edit.",
        "Labels each paragraph of a German article as " + ", ".join(f"`{n}`" for n in manifest.labels) + ". "
        "It reads all paragraphs of a document together.",
        "## Measured on dev",
        _metrics(records["export"]["dev"]),
        _calibration(manifest, records["calibrate"]),
        "## int8 against fp32",
        _parity(records["export"]["parity"]),
        "## How it was made",
        _training(records),
        "## Limits",
        _LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


_LIMITS = """\
- German only (Germany, Austria, Switzerland, South Tyrol, Luxembourg); other languages get labels
  that mean nothing.
- It judges paragraphs, not pages: a subscription paragraph does not make an article paywalled.
- The gold labels were given by a large language model that read every block in its place and
  followed a written guide, then adjudicated; they are not human labels. Expect 1-2 % noise in
  short interface lines.
- Pre-training used news articles of the research data set fang-covid (Mattern et al. 2021) for text
  and data mining only; the weights are published, the texts are not.
- Thresholds and the choice of the checkpoint were made on dev: figures on new publishers will be
  somewhat lower. The cross-validated line above removes the first of these two effects only."""


def _metrics(dev: dict[str, Any]) -> str:
    lines = [
        "| view | model | macro-F1 (95 % interval) | content flagged | ECE |",
        "|---|---|---|---|---|",
    ]
    for view in ("text", "all"):
        for kind in ("int8", "fp32"):
            figures = dev[kind][view]
            low, high = figures["macro_f1_interval"]
            lines.append(
                f"| {view} | {kind} | {figures['macro_f1']:.3f} ({low:.3f}-{high:.3f}) "
                f"| {figures['content_flagged']:.2%} | {figures['ece']:.3f} |"
            )
    lines += [
        "",
        "| label (int8, view text) | precision | recall | F1 (95 % interval) | paragraphs |",
        "|---|---|---|---|---|",
    ]
    for name, row in dev["int8"]["text"]["labels"].items():
        low, high = row["f1_interval"]
        lines.append(
            f"| {name} | {row['precision']:.3f} | {row['recall']:.3f} "
            f"| {row['f1']:.3f} ({low:.3f}-{high:.3f}) | {row['support']} |"
        )
    lines += [
        "",
        "View `text`: paragraphs of four or more words; `all`: every paragraph. Intervals: bootstrap "
        "over publishers.",
    ]
    return "\n".join(lines)


def _calibration(manifest: Manifest, record: dict[str, Any]) -> str:
    honest = record["cross_validated"]
    thresholds = ", ".join(f"{k} {v}" for k, v in manifest.thresholds.items() if k != manifest.keep_label)
    return (
        f"Temperature {manifest.temperature:.3f}; thresholds: {thresholds}. With both fitted on other "
        f"publishers of dev (publisher-wise cross-validation): macro-F1 {honest['macro_f1']:.3f}, content "
        f"flagged {honest['content_flagged']:.2%}, ECE {honest['ece']:.3f} (view text)."
    )


def _parity(parity: dict[str, Any]) -> str:
    lines = ["| step | largest logit difference | mean | labels changed (argmax) |", "|---|---|---|---|"]
    for step, row in parity.items():
        changed = ", ".join(f"{name} {count}" for name, count in row["changed_labels"].items())
        lines.append(
            f"| {step.replace('_', ' ')} | {row['largest_difference']:.2e} | {row['mean_difference']:.2e} "
            f"| {changed} of {row['paragraphs']} |"
        )
    return "\n".join(lines)


def _training(records: dict[str, dict[str, Any]]) -> str:
    pre, tuned = records["pretrain"], records["finetune"]
    lines = []
    if "base" in pre:
        lines.append(f"- Encoder: {pre['base']}")
    else:
        shape = pre["config"]["encoder"]
        lines.append(
            f"- Encoder: {shape['layers']} layers x {shape['hidden_size']}, vocabulary "
            f"{pre['shards']['vocab_size']}, masked-LM pre-training on {pre['tokens'] / 1e6:.1f} M tokens "
            f"in {pre['minutes']} minutes on {pre['hardware']}; held-out loss {pre['held_out_loss']:.3f} "
            f"(pseudo-perplexity {pre['held_out_pseudo_perplexity']:.1f})"
        )
        lines.append("- Corpus: " + ", ".join(pre["shards"]["sources"]))
    lines.append(
        f"- Fine-tuning: {tuned['steps']} steps, {tuned['tokens'] / 1e6:.1f} M tokens, "
        f"{tuned['minutes']} minutes on {tuned['hardware']}, {tuned['date']}, commit {tuned['commit']}"
    )
    for name, digest in tuned.get("data", {}).items():
        lines.append(f"- Data: {name}, SHA-256 {digest}")
    if "near_duplicates_removed" in tuned:
        lines.append(
            f"- Near-duplicates of dev paragraphs removed from training: {tuned['near_duplicates_removed']}"
        )
    lines.append("- Versions: " + ", ".join(f"{k} {v}" for k, v in tuned["versions"].items()))
    return "\n".join(lines)
