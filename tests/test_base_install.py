"""What a base install can do, and what it says about the rest."""

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


def test_the_error_tells_its_parts():
    error = MissingExtraError("train", "torch")
    assert (error.extra, error.module) == ("train", "torch")
