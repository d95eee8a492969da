"""``boilerplate-clf doctor``: does everything work on this machine, and as it should?"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import typer

from boilerplate_clf.cli.run import Model

UNHEALTHY = 1

Check = tuple[str, Optional[bool], str]  # noqa: UP045 - evaluated on Python 3.10
"""Name, result (None: could not be checked) and what there is to say about it."""


def doctor(
    model: Optional[Path] = Model,  # noqa: UP045 - typer reads it at run time on Python 3.10
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    freeze: bool = typer.Option(
        False, "--freeze", help="Write the model's reference anew, after making or training it."
    ),
    fp32: Optional[Path] = typer.Option(  # noqa: UP045
        None, "--fp32", metavar="FILE", help="With --freeze: the ONNX file before quantisation."
    ),
) -> None:
    """Check installation, machine and model: paste its output into a bug report.

    Shown: versions, the processor's instruction sets, threads (affinity and container quota). Checked: the
    bundle is whole; the processor multiplies int8 exactly; an example article gets the same labels and nearly
    the same scores as on the machine where the model was made, and as far from those of the model before
    quantisation as there. Exits with 1 if a check fails.

    \b
    Examples:
      boilerplate-clf doctor
      boilerplate-clf doctor --model my-bundle --json
      boilerplate-clf doctor --model my-bundle --freeze --fp32 run/export/model.fp32.onnx
    """
    import json

    from boilerplate_clf import machine
    from boilerplate_clf.bundle import find_bundle
    from boilerplate_clf.doctor import selftest

    if fp32 is not None and not freeze:
        raise typer.BadParameter("--fp32 goes with --freeze")
    folder = find_bundle(model)
    if freeze:
        typer.echo(f"wrote {selftest.freeze(folder, fp32)}", err=True)
    facts: dict[str, Any] = {
        "versions": machine.versions(),
        "cpu": machine.cpu(),
        "threads": machine.threads(),
        "bundle": str(folder),
    }
    checks = [_bundle(folder)]
    if checks[0][1]:
        checks += [_int8(), *_selftest(folder)]
    failed = any(ok is False for _, ok, _ in checks)
    if as_json:
        listed = [{"check": name, "ok": ok, "detail": text} for name, ok, text in checks]
        typer.echo(json.dumps({"ok": not failed, **facts, "checks": listed}, ensure_ascii=False, indent=2))
    else:
        _print(facts, checks)
    if failed:
        raise typer.Exit(UNHEALTHY)


def _bundle(folder: Path) -> Check:
    from boilerplate_clf.bundle import load_bundle
    from boilerplate_clf.errors import BundleError

    try:
        bundle = load_bundle(folder)
    except BundleError as error:
        return "bundle", False, str(error)
    manifest = bundle.manifest
    return "bundle", True, f"{manifest.name} {manifest.version}, {len(bundle.labels)} labels, verified"


def _int8() -> Check:
    from boilerplate_clf.doctor.int8 import int8_products

    found = int8_products()
    if found.wrong:
        # No failure by itself: what it does to the scores is what the self-test is for.
        share = f"{found.wrong} of {found.sums} sums wrong, by up to {found.largest_error} thousandths"
        return "int8", None, f"this processor rounds int8 products ({share}): scores differ slightly"
    return "int8", True, f"products are exact ({found.sums} sums)"


def _selftest(folder: Path) -> list[Check]:
    from boilerplate_clf.doctor.selftest import PARAGRAPHS, TOLERANCE, compare, reference_path
    from boilerplate_clf.errors import BundleError

    try:
        found = compare(folder)
    except BundleError as error:
        return [("self-test", False, str(error))]
    if found is None:
        return [("self-test", None, f"no reference at {reference_path(folder)}: make one with --freeze")]
    same = not found.changed_labels and found.largest_difference <= TOLERANCE
    text = (
        f"{found.changed_labels} of {len(PARAGRAPHS)} labels differ from the reference of "
        f"{found.made.get('date')}, scores by up to {found.largest_difference:.6f} (allowed: {TOLERANCE})"
    )
    checks: list[Check] = [("self-test", same, text)]
    if found.fp32_difference is None or found.fp32_difference_at_freeze is None:
        return [*checks, ("int8/fp32", None, "the reference has no scores from before quantisation")]
    near = found.fp32_difference <= found.fp32_difference_at_freeze + TOLERANCE
    text = (
        f"scores differ from those of {found.fp32_file} by up to {found.fp32_difference:.6f} here, "
        f"by {found.fp32_difference_at_freeze:.6f} where the reference was made"
    )
    return [*checks, ("int8/fp32", near, text)]


def _print(facts: dict[str, Any], checks: list[Check]) -> None:
    cpu, threads = facts["cpu"], facts["threads"]
    lines = [
        ("versions", ", ".join(f"{name} {number}" for name, number in facts["versions"].items())),
        ("cpu", f"{cpu['model']} ({cpu['architecture']}): {', '.join(cpu['features']) or 'none known'}"),
        (
            "threads",
            f"{threads['used']} used; {threads['processors']} processors, affinity "
            f"{threads['affinity'] or 'unknown'}, container quota {threads['cgroup'] or 'none'}",
        ),
        ("path", facts["bundle"]),
    ]
    marks = {True: "ok", False: "FAILED", None: "unsure"}
    for name, text in lines:
        typer.echo(f"{name:<11}{text}")
    for name, ok, text in checks:
        typer.echo(f"{name:<11}{marks[ok]}: {text}")
