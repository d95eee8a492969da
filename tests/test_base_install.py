"""What a base install can do, and what it says about the rest."""

import os
import subprocess
import sys

import pytest

from boilerplate_clf.errors import MissingExtraError

BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Block())
from boilerplate_clf.cli.main import main
sys.argv = ["boilerplate-clf", *{arguments!r}]
main()
"""

HEAVY = {
    "torch",
    "transformers",
    "datasets",
    "sklearn",
    "scipy",
    "gensim",
    "onnx",
    "onnxscript",
    "matplotlib",
}


def without(blocked, *arguments):
    code = BLOCK.format(blocked=set(blocked), arguments=[str(a) for a in arguments])
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [("predict", "examples/artikel.txt"), ("verify",), ("doctor",)])
def test_the_base_install_needs_nothing_of_the_training_extra(arguments):
    done = without(HEAVY, *arguments)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("torch", ["pipeline", "all", "-c", "configs/smoke.yaml", "--run", "nowhere"]),
        ("sklearn", ["evaluate", "tests/data/smoke-dev.jsonl"]),
        ("matplotlib", ["evaluate", "tests/data/smoke-dev.jsonl"]),
    ],
)
def test_a_missing_extra_is_named_with_the_line_that_mends_it(module, arguments):
    done = without({module}, *arguments)
    assert done.returncode == 2
    expected = f"boilerplate-clf: '{module}' is not installed: pip install \"boilerplate-clf[train]\"\n"
    assert done.stderr == expected


def test_nobody_is_told_of_it(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    code = "from boilerplate_clf import Classifier; Classifier().predict('Der Rat tagt am Montag.')"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert list(tmp_path.rglob("*")) == []  # neither an id of the machine nor what waits to be sent


def test_the_service_names_its_extra():
    done = without({"uvicorn"}, "serve")
    assert done.returncode == 2
    assert (
        done.stderr == "boilerplate-clf: 'uvicorn' is not installed: pip install \"boilerplate-clf[serve]\"\n"
    )


def test_the_error_tells_its_parts():
    error = MissingExtraError("train", "torch")
    assert (error.extra, error.module) == ("train", "torch")
