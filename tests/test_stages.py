"""What can be told of the pipeline's stages without running them."""

import json

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from boilerplate_clf.cli.pipeline import Stage
from boilerplate_clf.errors import TrainingError
from boilerplate_clf.labels import LABELS
from boilerplate_clf.training.config import load_config
from boilerplate_clf.training.pipeline import STAGES, Pipeline
from boilerplate_clf.training.selftrain import open_teacher

from .conftest import ROOT, SHIPPED


def test_a_teacher_that_does_not_fit_is_refused(tmp_path):
    session, windows, manifest = open_teacher(SHIPPED, LABELS)
    assert windows == manifest.windows and manifest.labels == LABELS and session is not None
    with pytest.raises(TrainingError, match="the teacher de-news-small has labels content, subscription"):
        open_teacher(SHIPPED, ("content", "other"))
    value = json.loads((SHIPPED / "bundle.json").read_text())
    del value["digest"]
    value.update(windows=None, cascade=None, files={"ngrams.npz": value["files"]["ngrams.npz"]})
    (tmp_path / "bundle.json").write_text(json.dumps(value))
    (tmp_path / "ngrams.npz").write_bytes((SHIPPED / "ngrams.npz").read_bytes())
    with pytest.raises(TrainingError, match="has no encoder"):
        open_teacher(tmp_path, LABELS)


def test_stages_that_are_none(tmp_path):
    with pytest.raises(ValueError, match="'evaluate' is no stage"):
        Pipeline(load_config(ROOT / "configs" / "smoke.yaml"), tmp_path).stage("evaluate")


def test_the_command_names_every_stage():
    assert [stage.value for stage in Stage] == [*STAGES, "all"]
    assert all(callable(getattr(Pipeline, name)) for name in STAGES)
