"""The model card: written by the pipeline from what it measured, never by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from boilerplate_clf.bundle.manifest import ACCURATE, MANIFEST, Manifest
from boilerplate_clf.files import atomic_write
from boilerplate_clf.inference.chain import as_chain
from boilerplate_clf.inference.decide import DEFAULT_MODE, Mode


def write_card(path: Path, manifest: Manifest, records: dict[str, dict[str, Any]]) -> None:
    """Write the card of a bundle.

    Args:
        path: of the Markdown file.
        manifest: the bundle's.
        records: of the stages before.
    """
    with atomic_write(path) as stream:
        stream.write(render_card(manifest, records).encode())


def render_card(manifest: Manifest, records: dict[str, dict[str, Any]]) -> str:
    """Return the card as Markdown."""
    dev = records["calibrate"]["dev"]
    kind = next(iter(dev))  # what the bundle holds; others were measured beside it
    parity = ["## int8 against fp32", _parity(manifest, records)] if "export" in records else []
    parts = [
        f"# {manifest.name} {manifest.version}",
        "Written by `boilerplate-clf pipeline card`; do not edit.",
        "Labels each paragraph of a German article as " + ", ".join(f"`{n}`" for n in manifest.labels) + ". "
        "It reads all paragraphs of a document together.",
        "## Measured on dev",
        _metrics(dev, kind),
        _calibration(manifest, records["calibrate"]),
        f"Risk and coverage ({kind}, mode best-guess, view `text`):",
        _risk_coverage(dev[kind]),
        *_accurate(manifest, records["calibrate"]),
        *parity,
        "## How it was made",
        _training(records),
        "## Limits",
        _LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


_LIMITS = """\
- German only (Germany, Austria, Switzerland, South Tyrol, Luxembourg, Belgium, Liechtenstein); other
  languages get labels that mean nothing.
- It judges paragraphs, not pages: a subscription paragraph does not make an article paywalled.
- The gold labels were given by a large language model that read every block in its place and
  followed a written guide, then adjudicated; they are not human labels. Expect 1-2 % noise in
  short interface lines.
- Pre-training used news articles of the research data set fang-covid (Mattern et al. 2021) for text
  and data mining only; the weights are published, the texts are not.
- Thresholds and the choice of the checkpoint were made on dev: figures on new publishers will be
  somewhat lower. The cross-validated figures above remove the first of these two effects only."""


def _metrics(dev: dict[str, Any], shipped: str) -> str:
    lines = [
        "| view | model | macro-F1 (95 % interval) | content flagged | ECE |",
        "|---|---|---|---|---|",
    ]
    for view in ("text", "all"):
        for kind in dev:
            figures = dev[kind][DEFAULT_MODE][view]
            low, high = figures["macro_f1_interval"]
            lines.append(
                f"| {view} | {kind} | {figures['macro_f1']:.3f} ({low:.3f}-{high:.3f}) "
                f"| {figures['content_flagged']:.2%} | {figures['ece']:.3f} |"
            )
    lines += [
        "",
        f"| label ({shipped}, view text) | precision | recall | F1 (95 % interval) | paragraphs |",
        "|---|---|---|---|---|",
    ]
    for name, row in dev[shipped][DEFAULT_MODE]["text"]["labels"].items():
        low, high = row["f1_interval"]
        lines.append(
            f"| {name} | {row['precision']:.3f} | {row['recall']:.3f} "
            f"| {row['f1']:.3f} ({low:.3f}-{high:.3f}) | {row['support']} |"
        )
    lines += [
        "",
        f"| mode ({shipped}) | macro-F1 text | macro-F1 all | content flagged text | appeals found text |",
        "|---|---|---|---|---|",
    ]
    for mode, views in dev[shipped].items():
        text = views["text"]
        lines.append(
            f"| {mode} | {text['macro_f1']:.3f} | {views['all']['macro_f1']:.3f} "
            f"| {text['content_flagged']:.2%} | {text['appeal_recall']:.1%} |"
        )
    lines += [
        "",
        "View `text`: paragraphs of four or more words; `all`: every paragraph. Intervals: bootstrap "
        "over publishers.",
    ]
    return "\n".join(lines)


def _accurate(manifest: Manifest, record: dict[str, Any]) -> list[str]:
    """Return the section on the second manifest, if there is one."""
    if "accurate" not in record:
        return []
    accurate = record["accurate"]
    fitted = replace(manifest, chain=as_chain(accurate["chain"]), thresholds=accurate["thresholds"])
    return [
        f"## {manifest.name}-accurate (`{ACCURATE}`)",
        "The same files, but the encoder reads every paragraph instead of those that the cascade asks about; "
        "chain and thresholds are fitted to that. It takes several times as long.",
        _metrics(accurate["dev"], next(iter(accurate["dev"]))),
        _calibration(fitted, accurate, ACCURATE),
    ]


def _risk_coverage(measured: dict[str, Any]) -> str:
    lines = ["| surest share of the paragraphs | least confidence | wrong labels |", "|---|---|---|"]
    for point in measured[Mode.BEST_GUESS]["text"]["risk_coverage"]:
        lines.append(f"| {point['coverage']:.1%} | {point['confidence']:.3f} | {point['risk']:.2%} |")
    return "\n".join(lines)


def _calibration(manifest: Manifest, record: dict[str, Any], file: str = MANIFEST) -> str:
    honest = record["cross_validated"]
    chain = manifest.chain
    bias = chain.bias[manifest.labels.index(manifest.keep_label)] if chain.bias else 0.0
    lines = [
        f"Temperature {chain.temperature:.3f}, bias of {manifest.keep_label} {bias:g}, transitions in "
        f"`{file}`; ECE with all of them fitted on other publishers {honest['ece']:.3f}.",
        "",
        "| mode | thresholds | macro-F1 | content flagged | appeals found |",
        "|---|---|---|---|---|",
    ]
    for mode, row in honest["modes"].items():
        values = manifest.thresholds.get(mode, {})
        shown = ", ".join(f"{k} {v}" for k, v in values.items() if k != manifest.keep_label)
        lines.append(
            f"| {mode} | {shown} | {row['macro_f1']:.3f} | {row['content_flagged']:.2%} "
            f"| {row['appeal_recall']:.1%} |"
        )
    lines += [
        "",
        "Figures of this table: publisher-wise cross-validation on dev, view `text`; each fold is decided "
        "with chain and thresholds fitted on the other folds' publishers.",
    ]
    return "\n".join(lines)


def _parity(manifest: Manifest, records: dict[str, dict[str, Any]]) -> str:
    lines = ["| step | largest logit difference | mean | labels changed (argmax) |", "|---|---|---|---|"]
    for step, row in records["export"]["parity"].items():
        changed = ", ".join(f"{name} {count}" for name, count in row["changed_labels"].items())
        lines.append(
            f"| {step.replace('_', ' ')} | {row['largest_difference']:.2e} | {row['mean_difference']:.2e} "
            f"| {changed} of {row['paragraphs']} |"
        )
    names, calibrated = manifest.labels, records["calibrate"]
    lines += [
        "",
        "F1 of each label with the same thresholds, view `text`:",
        "",
        f"| model | mode | {' | '.join(names)} |",
        f"|{'---|' * (len(names) + 2)}",
    ]
    for dev in (part["dev"] for part in (calibrated, calibrated.get("accurate")) if part):
        kinds = list(dev)[:2]  # what is shipped and what it was rounded from
        for mode in dev[kinds[0]]:
            found = [dev[kind][mode]["text"]["labels"] for kind in kinds]
            cells = " | ".join(" / ".join(f"{row[name]['f1']:.3f}" for row in found) for name in names)
            lines.append(f"| {' / '.join(kinds)} | {mode} | {cells} |")
    return "\n".join(lines)


def _training(records: dict[str, dict[str, Any]]) -> str:
    lines = _encoder(records["pretrain"]) if "pretrain" in records else []
    linear, tuned = records["linear"], records.get("finetune")
    if linear["config"]["weight"]:
        beside = "beside the encoder" if tuned else "by itself"
        lines.append(f"- N-gram model {beside}: at most {linear['config']['ngrams']:,} n-grams")
    if "teacher" in (taught := records.get("selftrain", {})):
        counts = ", ".join(f"{name} {count:,}" for name, count in taught["labels"].items())
        lines.append(
            f"- Self-training: {taught['pages']:,} of {taught['documents']:,} unlabelled pages, labelled by "
            f"{taught['teacher']['name']} {taught['teacher']['version']} and the n-gram model ({counts})"
        )
    if tuned:
        lines.append(
            f"- Fine-tuning: {tuned['steps']} steps, {tuned['tokens'] / 1e6:.1f} M tokens, "
            f"{tuned['minutes']} minutes on {tuned['hardware']}, {tuned['date']}, commit {tuned['commit']}"
        )
    last = tuned or linear
    for name, digest in last.get("data", {}).items():
        lines.append(f"- Data: {name}, SHA-256 {digest}")
    for name, digest in linear.get("data", {}).items():
        if last.get("data", {}).get(name) != digest:  # fitted later, on more data
            lines.append(f"- Data of the n-gram model: {name}, SHA-256 {digest}")
    for name, digest in linear.get("lines", {}).get("data", {}).items():
        lines.append(f"- Lines that stand alone, for the n-gram model only: {name}, SHA-256 {digest}")
    if "near_duplicates_removed" in last:
        lines.append(
            f"- Near-duplicates of dev paragraphs removed from training: {last['near_duplicates_removed']}"
        )
    lines.append("- Versions: " + ", ".join(f"{k} {v}" for k, v in last["versions"].items()))
    return "\n".join(lines)


def _encoder(pretrained: dict[str, Any]) -> list[str]:
    if "base" in pretrained:
        return [f"- Encoder: {pretrained['base']}"]
    shape = pretrained["config"]["encoder"]
    return [
        f"- Encoder: {shape['layers']} layers x {shape['hidden_size']}, vocabulary "
        f"{pretrained['shards']['vocab_size']}, masked-LM pre-training on {pretrained['tokens'] / 1e6:.1f} M "
        f"tokens in {pretrained['minutes']} minutes on {pretrained['hardware']}{_before(pretrained)}; "
        f"held-out loss {pretrained['held_out_loss']:.3f}",
        "- Corpus: " + ", ".join(pretrained["shards"]["sources"]),
    ]


def _before(pretrained: dict[str, Any]) -> str:
    before = pretrained.get("started_from")
    return f", after {before['tokens'] / 1e6:.1f} M tokens of an earlier run" if before else ""
