"""What `verify` and `doctor` say of whole and damaged bundles, and of odd machines."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from boilerplate_clf import machine
from boilerplate_clf.cli.main import app
from boilerplate_clf.doctor import int8, selftest
from boilerplate_clf.errors import BundleError

from .conftest import SHIPPED

COMMAND = "boilerplate-clf doctor --freeze --fp32 RUN/export/model.fp32.onnx"


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def doctor(*arguments):
    done = run("doctor", "--json", *arguments)
    facts = json.loads(done.stdout)
    assert done.exit_code == (0 if facts["ok"] else 1)
    return {check["check"]: (check["ok"], check["detail"]) for check in facts["checks"]}, facts


def test_verify_names_every_file():
    done = run("verify")
    assert done.exit_code == 0 and done.output.endswith("verified\n")
    for path in SHIPPED.iterdir():
        assert f"  {path.name} " in done.output and f"{path.stat().st_size:,} bytes" in done.output


def test_verify_says_why_a_bundle_is_refused(bundle):
    (bundle / "notes.txt").write_text("x")
    done = run("verify", bundle)
    assert done.exit_code == 2 and "notes.txt" in done.stderr and "verified" not in done.output
    assert run("verify", bundle / "nowhere").exit_code == 2


def test_verify_takes_the_second_manifest():
    done = run("verify", "accurate")
    assert done.exit_code == 0 and "de-news-small-accurate" in done.output
    assert "accurate.json " in done.output and "bundle.json " not in done.output


def test_verify_says_what_has_no_digest(edit_manifest):
    assert "without a digest of its own" in run("verify", edit_manifest(lambda m: None)).output


@pytest.mark.parametrize("model", ["fast", "accurate"])
def test_the_shipped_model_is_well(model):
    """A model made anew needs a reference made anew."""
    checks, facts = doctor("--model", model)
    assert checks["self-test"][0], f"{checks['self-test'][1]}: {COMMAND}"
    assert checks["bundle"][0] and facts["ok"]
    assert {"python", "boilerplate-clf", "numpy", "onnxruntime", "tokenizers"} == facts["versions"].keys()
    assert facts["threads"]["used"] >= 1
    listing = run("doctor").output
    assert all(f"{name} " in listing for name in ("versions", "cpu", "threads", "path", *checks))


@pytest.fixture
def referred(bundle):
    """A copy of the shipped bundle, and its reference for a test to change."""
    path = selftest.reference_path(bundle)
    shutil.copy(selftest.reference_path(SHIPPED), path)

    def change(edit):
        value = json.loads(path.read_text())
        edit(value)
        path.write_text(json.dumps(value))

    return bundle, change


def test_other_labels_or_scores_fail_the_self_test(referred):
    folder, change = referred
    assert doctor("--model", folder)[0]["self-test"][0]
    change(lambda value: value["labels"].__setitem__(0, "donation_request"))
    ok, text = doctor("--model", folder)[0]["self-test"]
    assert not ok and text.startswith("1 of 15 labels")


def test_scores_beyond_the_tolerance_fail(referred):
    folder, change = referred

    def shift(value, by):
        value["scores"][3]["content"] += by

    change(lambda value: shift(value, selftest.TOLERANCE * 0.9))
    assert doctor("--model", folder)[0]["self-test"][0]
    change(lambda value: shift(value, selftest.TOLERANCE * 0.2))
    assert doctor("--model", folder)[0]["self-test"][0] is False


def test_the_distance_from_before_quantisation_must_not_grow(referred):
    folder, change = referred
    change(lambda value: value.pop("fp32", None))
    assert doctor("--model", folder)[0]["int8/fp32"][0] is None
    # As if the machine of the reference had scored just as the model before quantisation did.
    change(lambda value: value.update(fp32={"file": "x", "scores": json.loads(json.dumps(value["scores"]))}))
    assert doctor("--model", folder)[0]["int8/fp32"][0] is True
    for part in ("scores", "fp32"):
        change(lambda v, p=part: (v[p] if p == "scores" else v[p]["scores"])[0].update(content=0.5))
    checks = doctor("--model", folder)[0]
    assert checks["int8/fp32"][0] is False and checks["self-test"][0] is False


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda value: value.update(manifest_sha256="0"), "another model"),
        (lambda value: value.pop("scores"), "no reference"),
        (lambda value: value["labels"].pop(), "no reference"),
        (lambda value: value.update(scores=3), "no reference"),
    ],
)
def test_references_that_are_none(referred, edit, message):
    folder, change = referred
    change(edit)
    ok, text = doctor("--model", folder)[0]["self-test"]
    assert ok is False and message in text and "freeze it anew" in text


def test_each_manifest_has_a_reference_beside_the_folder():
    place = SHIPPED.parent
    assert selftest.reference_path(SHIPPED) == place / "de-news-small-selftest.json"
    assert selftest.reference_path(SHIPPED / "bundle.json") == selftest.reference_path(SHIPPED)
    assert (
        selftest.reference_path(SHIPPED / "accurate.json") == place / "de-news-small-accurate-selftest.json"
    )


def test_without_a_reference_and_with_a_new_one(bundle):
    assert doctor("--model", bundle)[0]["self-test"][0] is None
    done = run("doctor", "--model", bundle, "--freeze", "--fp32", bundle / "model.onnx")
    assert done.exit_code == 0 and str(selftest.reference_path(bundle)) in done.stderr
    checks = doctor("--model", bundle)[0]
    assert checks["self-test"][0] and checks["int8/fp32"][0]
    assert run("doctor", "--fp32", bundle / "model.onnx").exit_code == 2


def test_a_damaged_bundle_is_one_failed_check(bundle):
    (bundle / "model.onnx").unlink()
    checks, facts = doctor("--model", bundle)
    assert list(checks) == ["bundle"] and "missing" in checks["bundle"][1] and not facts["ok"]


def test_int8_products_that_saturate_are_told(monkeypatch):
    class Saturating:
        def __init__(self, model, *_, **__):
            self.model = model

        def run(self, _, inputs):
            # As without VNNI: pairs of products are added up in 16 bits.
            rng = np.random.default_rng(0)
            rng.integers(0, 256, (int8._ROWS, int8._INNER), np.uint8)
            right = rng.integers(-128, 128, (int8._INNER, int8._COLUMNS), np.int8)
            right[:, ::2] = np.where(right[:, ::2] < 0, -128, 127)
            products = inputs["a"].astype(np.int64)[:, :, None] * right.astype(np.int64)
            pairs = products[:, ::2] + products[:, 1::2]
            return [np.clip(pairs, -(2**15), 2**15 - 1).sum(axis=1).astype(np.int32)]

    monkeypatch.setattr(int8.ort, "InferenceSession", Saturating)
    found = int8.int8_products()
    assert found.wrong > 100 and found.largest_error > 10


def test_processors_are_told_on_linux_and_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "cpuinfo")
    assert "AVX2" in machine.cpu()["features"] or machine.platform.machine() != "x86_64"
    (tmp_path / "cpuinfo").write_text(
        "model name\t: Chip 9\nflags\t\t: fpu avx2 avx_vnni\n\nmodel name: other\n"
    )
    assert machine.cpu()["model"] == "Chip 9" and machine.cpu()["features"] == ["AVX2", "VNNI"]
    (tmp_path / "cpuinfo").write_text("Features\t: fp asimd asimddp i8mm\n")
    assert machine.cpu()["features"] == ["NEON dot product", "NEON i8mm"]


def test_container_quotas_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_QUOTA", tmp_path / "cpu.max")
    assert machine.threads()["cgroup"] is None
    for text, expected in (("max 100000", None), ("150000 100000", "1.5"), ("nonsense", None)):
        (tmp_path / "cpu.max").write_text(text)
        assert machine.threads()["cgroup"] == expected
    # Half a processor is one to work with, and a generous quota makes no more of those that there are.
    for text, expected in (("50000 100000", 1), ("9900000 100000", machine.threads()["affinity"])):
        (tmp_path / "cpu.max").write_text(text)
        assert machine.available_threads() == machine.threads()["used"] == expected


def test_a_reference_of_a_folder_named_with_a_dot(bundle, monkeypatch):
    monkeypatch.chdir(bundle)
    from pathlib import Path

    assert selftest.reference_path(Path()) == bundle.parent / "bundle-selftest.json"
    with pytest.raises(BundleError):
        selftest.freeze(bundle / "nowhere")
