"""The training pipeline on tiny data: every stage, resumption, and what comes out."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertModel

from boilerplate_clf import Classifier, Mode
from boilerplate_clf.bundle import load_bundle
from boilerplate_clf.errors import BoilerplateClfError, ConfigError, LeakageError, TrainingError
from boilerplate_clf.inference.ngrams import NgramScorer
from boilerplate_clf.labels import LABELS
from boilerplate_clf.training.config import load_config
from boilerplate_clf.training.data import read_labelled
from boilerplate_clf.training.loop import Schedule
from boilerplate_clf.training.pipeline import STAGES, Pipeline
from boilerplate_clf.training.pretrain import EncoderConfig, PretrainConfig, pretrain
from boilerplate_clf.training.runs import read_stage
from boilerplate_clf.training.trainset import training_data

from .conftest import ROOT

SMOKE = ROOT / "configs" / "smoke.yaml"
COMMAND = (sys.executable, "-m", "boilerplate_clf.cli.main")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of all stages."""
    run = tmp_path_factory.mktemp("smoke")
    work = Pipeline(load_config(SMOKE), run)
    for name in STAGES:
        work.stage(name)
    return work


def test_all_stages_leave_a_record(finished):
    for name in STAGES[:-1]:
        record = read_stage(finished.run / name)
        assert record["versions"]["torch"] and record["date"] and record["commit"]
    tuned = read_stage(finished.run / "finetune")
    assert set(tuned["data"]) == {"smoke-train.jsonl", "smoke-blocks.jsonl", "smoke-dev.jsonl"}
    assert tuned["near_duplicates_removed"] == 1  # put into smoke-train on purpose


def test_training_teaches_something(finished):
    log = [json.loads(line) for line in (finished.run / "pretrain" / "log.jsonl").read_text().splitlines()]
    losses = [line["held_out_loss"] for line in log if "held_out_loss" in line]
    assert losses[-1] < losses[0]


def test_lines_that_stand_alone_are_for_the_ngram_model_only(finished):
    record = read_stage(finished.run / "linear")
    assert record["lines"]["kept"] == 6 and set(record["lines"]["data"]) == {"smoke-lines.jsonl"}
    assert "smoke-lines.jsonl" not in read_stage(finished.run / "finetune")["data"]
    card = (finished.run / "bundle" / "README.md").read_text(encoding="utf-8")
    assert (
        f"n-gram model only: smoke-lines.jsonl, SHA-256 {record['lines']['data']['smoke-lines.jsonl']}"
        in card
    )
    ngrams = NgramScorer.from_bytes((finished.run / "linear" / "ngrams.npz").read_bytes(), 4)
    for line, label in (
        ("Zum Hafenpost-Abo geht es hier", "subscription_appeal"),
        ("Gebt der Hafenpost einen Taler", "donation_request"),
    ):
        page = ["Der Rat tagt am Montag im Saal.", line, "Danach wird abgestimmt."]
        assert LABELS[ngrams.log_probabilities(page)[1].argmax()] == label  # without them: content


def test_the_bundle_works_like_the_shipped_one(finished):
    classifier = Classifier(finished.run / "bundle")
    document = classifier.predict("Der Rat tagt am Montag.\nJetzt spenden!\n" * 30)
    assert len(document) == 60
    assert sum(document[0].scores.values()) == pytest.approx(1)
    card = (finished.run / "bundle" / "README.md").read_text(encoding="utf-8")
    assert "## Measured on dev" in card and "int8" in card


def test_bundle_and_pipeline_agree_on_dev(finished):
    """The figures of the export stage are those of the bundle through the public API."""
    from boilerplate_clf.evaluation.report import evaluate_model

    report = evaluate_model(finished.config.data.dev, finished.run / "bundle")
    exported = read_stage(finished.run / "calibrate")["dev"]["int8"]["balanced"]
    for view in ("text", "all"):
        assert report["systems"]["smoke"][view]["confusion"] == exported[view]["confusion"]


def test_the_second_manifest_reads_everything_and_has_its_own_thresholds(finished):
    from boilerplate_clf.evaluation.report import evaluate_model

    path = finished.run / "bundle" / "accurate.json"
    fast, accurate = load_bundle(path.parent).manifest, load_bundle(path).manifest
    record = read_stage(finished.run / "calibrate")
    assert fast.cascade is not None and accurate.cascade is None
    assert [fast.labels[column] for column in fast.cascade.wide_columns] == ["donation_request"]
    assert accurate.files == fast.files
    assert accurate.thresholds == record["accurate"]["thresholds"]
    assert accurate.provenance["dev"] == record["accurate"]["dev"]
    assert "accurate" not in fast.provenance["calibrate"]
    report = evaluate_model(finished.config.data.dev, path)
    measured = record["accurate"]["dev"]["int8, no cascade"]["balanced"]
    for view in ("text", "all"):
        assert report["systems"]["smoke-accurate"][view]["confusion"] == measured[view]["confusion"]
    assert "## smoke-accurate" in (path.parent / "README.md").read_text(encoding="utf-8")


def test_int8_and_fp32_are_close(finished):
    parity = read_stage(finished.run / "export")["parity"]
    assert parity["torch_to_fp32"]["largest_difference"] < 1e-3
    assert 0 < parity["fp32_to_int8"]["mean_difference"] < 0.2
    card = (finished.run / "bundle" / "README.md").read_text(encoding="utf-8")
    record = read_stage(finished.run / "calibrate")
    for dev, kinds in (
        (record["dev"], ("int8", "fp32")),
        (record["accurate"]["dev"], ("int8, no cascade", "fp32, no cascade")),
    ):
        for mode in Mode:
            scores = [dev[kind][mode]["text"]["labels"] for kind in kinds]
            pairs = (f"{scores[0][name]['f1']:.3f} / {scores[1][name]['f1']:.3f}" for name in scores[0])
            assert f"| {' / '.join(kinds)} | {mode} | {' | '.join(pairs)} |" in card


def test_finished_stages_are_skipped(finished):
    before = (finished.run / "finetune" / "stage.json").stat().st_mtime_ns
    finished.stage("finetune")
    assert (finished.run / "finetune" / "stage.json").stat().st_mtime_ns == before


def test_install_replaces_the_bundle(finished, tmp_path):
    (tmp_path / "smoke").mkdir()
    (tmp_path / "smoke" / "old").touch()
    target = finished.install(tmp_path)
    assert sorted(p.name for p in target.iterdir()) == [
        "README.md",
        "accurate.json",
        "bundle.json",
        "model.onnx",
        "ngrams.npz",
        "tokenizer.json",
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["smoke", "smoke-encoder"]
    assert {"model.safetensors", "tokenizer.json", "README.md"} <= {
        p.name for p in (tmp_path / "smoke-encoder").iterdir()
    }


@pytest.fixture(scope="module")
def taught(finished, tmp_path_factory):
    """A second run that has the first one for a teacher."""
    run = tmp_path_factory.mktemp("taught")
    text = SMOKE.read_text(encoding="utf-8").replace("../tests/data", str(ROOT / "tests" / "data"))
    text = text.replace("../training", str(ROOT / "training"))
    corpus = ROOT / "tests" / "data" / "smoke-corpus.txt"
    text += f"teacher: {finished.run}\nself_training:\n  unlabelled: [{corpus}]\n"
    text += "  least_keep: 0.3\n  least_appeal: 0.3\n  keep_pages: 3\n"
    (run / "config.yaml").write_text(text, encoding="utf-8")
    work = Pipeline(load_config(run / "config.yaml"), run)
    for name in STAGES:
        work.stage(name)
    return work


def test_a_teacher_hands_on_tokenizer_encoder_and_labels(finished, taught):
    first, second = (work.run / "tokenizer" / "tokenizer.json" for work in (finished, taught))
    assert first.read_bytes() == second.read_bytes()
    losses = [
        json.loads(line)["held_out_loss"]
        for work in (finished, taught)
        for line in (work.run / "pretrain" / "log.jsonl").read_text().splitlines()
        if "held_out_loss" in line
    ]
    half = len(losses) // 2
    assert losses[half] < losses[0]  # it did not start anew
    record = read_stage(taught.run / "selftrain")
    assert record["teacher"]["name"] == "smoke"
    pages = read_labelled(taught.run / "selftrain" / "pages.jsonl")
    assert len(pages) == record["pages"] <= record["documents"]
    assert "smoke 0.0.1" in (taught.run / "bundle" / "README.md").read_text(encoding="utf-8")


def test_self_training_without_a_teacher(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD + "self_training: {unlabelled: [a]}\n")
    with pytest.raises(ConfigError, match="needs a 'teacher'"):
        load_config(path)


def test_stages_out_of_order(tmp_path):
    work = Pipeline(load_config(SMOKE), tmp_path)
    with pytest.raises(TrainingError, match="run the stage 'tokenizer' first"):
        work.stage("finetune")


def test_command(tmp_path):
    done = subprocess.run(
        [*COMMAND, "pipeline", "tokenizer", "-c", SMOKE, "--run", tmp_path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "stage tokenizer" in done.stderr and (tmp_path / "tokenizer" / "tokenizer.json").exists()


def test_resumed_pretraining_equals_an_undisturbed_one(finished, tmp_path, monkeypatch):
    """Killed at step 6 of 12 and resumed: the same weights, bit by bit."""
    config = PretrainConfig(
        encoder=EncoderConfig(16, 1, 2, 24, 64),
        schedule=Schedule(1e-3, 12, checkpoint_minutes=0.0),
        sequence_lengths=(16, 32),
        batch_tokens=128,
        evaluate_every=100,
    )
    shards = finished.run / "shards"
    pretrain(config, shards, tmp_path / "whole")

    from boilerplate_clf.training import loop

    class Killed(BaseException):
        pass

    save = loop.Trainer.save

    def save_and_die(self):
        save(self)
        if self.state.step == 6:
            raise Killed

    monkeypatch.setattr(loop.Trainer, "save", save_and_die)
    with pytest.raises(Killed):
        pretrain(config, shards, tmp_path / "killed")
    monkeypatch.setattr(loop.Trainer, "save", save)
    assert read_stage(tmp_path / "killed") is None
    pretrain(config, shards, tmp_path / "killed")
    whole, killed = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("whole", "killed")
    )
    assert whole["state"]["step"] == killed["state"]["step"] == 12
    for name, tensor in whole["model"].items():
        assert torch.equal(tensor, killed["model"][name]), name


def torchrun(config, shards, output):
    """Pre-train in two processes, as on a machine that has nothing but torch and transformers."""
    config_path = output.with_suffix(".json")
    config_path.write_text(json.dumps(asdict(config)), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "-m", "boilerplate_clf.training.pretrain", config_path, shards, output],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return read_stage(output)


def test_two_processes_draw_different_text_and_share_what_they_learn(finished, tmp_path):
    shards = finished.run / "shards"
    config = PretrainConfig(
        EncoderConfig(16, 1, 2, 24, 64), Schedule(1e-3, 6), sequence_lengths=(16,), batch_tokens=128
    )
    single = pretrain(config, shards, tmp_path / "single")
    double = torchrun(config, shards, tmp_path / "double")
    assert (single["processes"], double["processes"]) == (1, 2)
    assert double["steps"] == single["steps"] and double["tokens"] == 2 * single["tokens"]
    # With the same draws the mean of both gradients would be that of one process, and so the weights.
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("single", "double"))
    assert any(not torch.allclose(one[key], two[key], atol=1e-5) for key in one)


def test_processes_stop_together_by_the_clock_and_go_on(finished, tmp_path):
    """Each with a clock of its own, one would wait for the other's gradients for ever."""
    shards, schedule = finished.run / "shards", Schedule(1e-3, 10**6, max_minutes=0.02)
    config = PretrainConfig(EncoderConfig(16, 1, 2, 24, 64), schedule, (16,), batch_tokens=128)
    first = torchrun(config, shards, tmp_path / "run")
    (tmp_path / "run" / "stage.json").unlink()
    longer = replace(config, schedule=replace(schedule, max_minutes=0.04))
    second = torchrun(longer, shards, tmp_path / "run")
    assert second["tokens"] > first["tokens"]


def tiny_bert(vocabulary, positions):
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=positions,
    )


def test_a_foreign_checkpoint_as_base(finished, tmp_path):
    """The road of configs/gbert.yaml, on a tiny BERT made here."""
    base = tmp_path / "base"
    BertModel(tiny_bert(1500, 160)).save_pretrained(base)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyzäöüß.,!?"]
    vocabulary += ["##" + c for c in "abcdefghijklmnopqrstuvwxyzäöüß"]
    (base / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    from transformers import BertTokenizerFast

    BertTokenizerFast(str(base / "vocab.txt"), do_lower_case=True).save_pretrained(base)
    text = SMOKE.read_text(encoding="utf-8")
    start = text.index("corpus:")
    text = text[:start] + f"base: {base}\n\n" + text[text.index("data:") :]
    config = tmp_path / "config.yaml"
    config.write_text(text.replace("../tests/data", str(ROOT / "tests" / "data")), encoding="utf-8")
    work = Pipeline(load_config(config), tmp_path / "run")
    for name in STAGES:
        work.stage(name)
    classifier = Classifier(tmp_path / "run" / "bundle")
    assert classifier.bundle.manifest.windows.marker_id == 3  # [SEP], as it has no [PAR]
    assert len(classifier.predict("Eins [SEP] noch eins.\nZwei.")) == 2


def test_the_own_encoder_as_base(finished, tmp_path):
    """What retraining starts from, offline: the encoder that `install` puts beside the bundle."""
    finished.install(tmp_path)
    text = SMOKE.read_text(encoding="utf-8")
    text = text[: text.index("corpus:")] + "base: smoke-encoder\n\n" + text[text.index("data:") :]
    config = tmp_path / "config.yaml"
    config.write_text(text.replace("../tests/data", str(ROOT / "tests" / "data")), encoding="utf-8")
    work = Pipeline(load_config(config), tmp_path / "run")
    for name in STAGES:
        work.stage(name)
    windows = Classifier(tmp_path / "run" / "bundle").bundle.manifest.windows
    assert windows.marker_id == finished_marker(finished)


def finished_marker(work):
    return Classifier(work.run / "bundle").bundle.manifest.windows.marker_id


def test_a_base_that_is_not_there(tmp_path):
    config = load_config(ROOT / "configs" / "gbert.yaml")
    object.__setattr__(config, "base", str(tmp_path / "nowhere"))
    with pytest.raises(BoilerplateClfError, match="cannot be loaded"):
        Pipeline(config, tmp_path / "run").stage("tokenizer")


GOOD = "name: x\nversion: '1'\ncorpus: [{path: a}]\ndata: {pages: [a], dev: b}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("name: [", "not YAML"),
        ("name: x\nversion: '1'\n", "data: Field required"),
        ("NAME: x\n" + GOOD, "NAME: unknown key"),
        (GOOD + "finetune: {seed: much}\n", "finetune.seed"),
        (GOOD + "cascade: {wide_labels: [donations]}\n", "wide_labels: 'donations' is no label of an appeal"),
        (GOOD + "cascade: {wide_labels: [content]}\n", "wide_labels: 'content' is no label of an appeal"),
        (
            GOOD + "cascade: {wide_labels: [donation_request, donation_request]}\n",
            "wide_labels: a label stands there twice",
        ),
        (GOOD + "cascade: {wide_labels: [donation_request]}\n", "cascade: wide_labels, .* go together"),
        (GOOD + "cascade: {wide_context: 16, wide_doubt: 0.3}\n", "cascade: wide_labels, .* go together"),
        (GOOD + "cascade: {wide_doubt: .nan}\n", "cascade.wide_doubt: must lie between 0 and 1"),
        (GOOD + "cascade: {wide_context: 100000}\n", "cascade.wide_context: must lie between 0 and 1000"),
        (GOOD + "cascade: {context: -1}\n", "cascade.context: must lie between 0 and 1000"),
        (GOOD + "cascade: {least_doubt: 3}\n", "cascade.least_doubt: must lie between 0 and 1"),
        (GOOD + "cascade: {ngram_weight: 0}\n", "cascade.ngram_weight: must lie"),
        (GOOD.replace("dev: b", "dev: b, devil: c"), "data.devil: unknown key"),
        (GOOD.replace("corpus: [{path: a}]\n", ""), "either 'base' or 'corpus'"),
    ],
)
def test_bad_configurations_name_file_and_key(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(path)
    assert str(path) in str(caught.value)


def test_all_shipped_configurations_are_valid():
    for path in (ROOT / "configs").glob("*.yaml"):
        load_config(path)


@pytest.mark.parametrize("trained_on", ["smoke-train", "smoke-blocks", "smoke-lines"])
def test_training_on_dev_is_refused(tmp_path, trained_on):
    for name in ("smoke-train", "smoke-blocks", "smoke-dev"):
        shutil.copy(ROOT / "tests" / "data" / f"{name}.jsonl", tmp_path)
    text = SMOKE.read_text(encoding="utf-8").replace("../tests/data", str(ROOT / "tests" / "data"))
    text = text.replace("../training", str(ROOT / "training"))
    path = tmp_path / "config.yaml"
    path.write_text(text.replace(f"{trained_on}.jsonl]", "smoke-dev.jsonl]"))
    with pytest.raises(LeakageError, match="in the training and the evaluation data"):
        training_data(load_config(path))


def test_missing_data_are_named(tmp_path):
    text = SMOKE.read_text(encoding="utf-8")
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(BoilerplateClfError, match=r"smoke-train\.jsonl: no such file"):
        training_data(load_config(path))


def test_models_are_refused_in_training_mode(tmp_path):
    from boilerplate_clf.inference.windows import WindowConfig
    from boilerplate_clf.training.export import export_onnx

    with pytest.raises(TrainingError, match="evaluation mode"):
        export_onnx(torch.nn.Linear(2, 2), WindowConfig(64, 8, 16, 4, 2, 3, 0, 5), tmp_path / "m.onnx")


def test_wide_part_knows_word_order():
    """The hashed pairs differ for swapped pieces, so that order can be learnt without the encoder."""
    from boilerplate_clf.training.model import ParagraphClassifier

    encoder = BertModel(tiny_bert(100, 16))
    model = ParagraphClassifier(encoder, 2, marker_id=5, pad_id=0, wide_buckets=64).eval()
    torch.nn.init.zeros_(model.output.weight)
    torch.nn.init.normal_(model.pairs.weight)
    with torch.no_grad():
        scores = model(torch.tensor([[5, 10, 20], [5, 20, 10]]), torch.tensor([[0], [0]])).numpy()
    assert not np.allclose(scores[0], scores[1])
