"""The wheel: small, complete, and working without the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

pytest.importorskip("build", reason="the package 'build' is not installed")

from .conftest import ROOT


def build(source, target, *options, umask=0o022):
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", target, *options, source]
    environment = dict(os.environ, SOURCE_DATE_EPOCH="1767225600")
    subprocess.run(command, check=True, capture_output=True, env=environment, umask=umask)
    return sorted(target.iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    (path,) = build(ROOT, tmp_path_factory.mktemp("wheel"), "--wheel")
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


def test_the_same_bytes_elsewhere_and_from_the_sdist(wheel, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("src", "models", "tests", "training", "configs", "examples"):
        # Another day, other modes.
        shutil.copytree(ROOT / name, elsewhere / name, copy_function=shutil.copyfile)
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore"):
        shutil.copyfile(ROOT / name, elsewhere / name)
    for path in elsewhere.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    sdist, from_sdist = sorted(build(elsewhere, tmp_path / "a", umask=0o077), key=lambda path: path.suffix)
    assert from_sdist.read_bytes() == wheel.read_bytes()
    (here,) = build(ROOT, tmp_path / "b", "--sdist")
    assert here.read_bytes() == sdist.read_bytes()


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
        input="Der Rat tagt am Montag im Rathaus.\nUnterstützen Sie unsere Arbeit: Jetzt spenden!",
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [row.split(",")[4] for row in done.stdout.splitlines()[1:]] == ["content", "donation_request"]
