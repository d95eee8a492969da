"""The wheel: small, complete, and working without the checkout."""

import os
import subprocess
import sys
import zipfile

import pytest

pytest.importorskip("build", reason="the package 'build' is not installed")

from .conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_size_and_contents(wheel):
    assert wheel.stat().st_size <= 25e6
    names = zipfile.ZipFile(wheel).namelist()
    assert sum(name.endswith("models/de-news-small/model.onnx") for name in names) == 1
    assert "boilerplate_clf/py.typed" in names
    assert {f"boilerplate_clf/serve/page/{name}" for name in ("index.html", "app.js", "style.css")} <= set(
        names
    )
    assert not [name for name in names if name.startswith(("tests", "training", "configs"))]


def test_it_labels_a_text_without_the_checkout_and_offline(wheel, tmp_path):
    target = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--target", target, wheel]
    subprocess.run(install, check=True, capture_output=True)
    environment = dict(os.environ, PYTHONPATH=str(target), PYTHONWARNINGS="error")
    where = [sys.executable, "-c", "import boilerplate_clf; print(boilerplate_clf.__file__)"]
    done = subprocess.run(where, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(target))
    predict = [sys.executable, "-m", "boilerplate_clf.cli.main", "predict", "-", "--format", "csv"]
    done = subprocess.run(
        predict,
        input="Der Rat tagt am Montag im Rathaus.\nJetzt spenden!",
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [row.split(",")[4] for row in done.stdout.splitlines()[1:]] == ["content", "donation_request"]
