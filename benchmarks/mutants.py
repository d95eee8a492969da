"""Plants faults in the splitter, the windows, the decision and the loader: does a test see each of them?

    python benchmarks/mutants.py [--module paragraphs decide ...] [--limit N]

One fault at a time, in a copy of the package: a comparison, a sign, a number or a condition changed, or a
character left out of a pattern. Then the tests of that module run, up to the first failure. Printed is a
table, and every fault that no test saw: either a test is missing, or the fault changes nothing that anybody
could see (some do not). Needs what the tests need; takes minutes.
"""

from __future__ import annotations

import argparse
import ast
import copy
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnxruntime  # noqa: F401 - for the tests
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("src/boilerplate_clf")
TIMEOUT = 60
"""Seconds after which a fault counts as seen: it makes the tests hang."""

MODULES = {
    "paragraphs": ("text/paragraphs.py", ["test_paragraphs.py"]),
    "windows": ("inference/windows.py", ["test_windows.py"]),
    "decide": ("inference/decide.py", ["test_decide.py", "test_document.py"]),
    "load": ("bundle/load.py", ["test_bundle.py", "test_bundle_extension.py", "test_bundle_contents.py"]),
    "manifest": ("bundle/manifest.py", ["test_manifest.py", "test_bundle.py", "test_bundle_extension.py"]),
    "onnx_safety": ("bundle/onnx_safety.py", ["test_onnx_safety.py"]),
}
"""Name -> its file, and the tests that should see its faults."""

PATTERN = re.compile(r"\[|\\s")
"""What tells a regular expression from other texts."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True)
class Fault:
    """A changed module."""

    line: int
    what: str
    source: str


def faults(source: str) -> Iterator[Fault]:
    """Yield every fault that can be planted in a module."""
    tree = ast.parse(source)
    skipped = set(_docstrings(tree)) | set(_annotations(tree))
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in skipped:
            continue
        for what, change in _changes(node):
            changed = copy.deepcopy(tree)
            twin = next(n for i, n in enumerate(ast.walk(changed)) if i == number)
            change(twin)
            text = ast.unparse(ast.fix_missing_locations(changed))
            yield Fault(getattr(node, "lineno", 0), what, text)


def _docstrings(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield id(node.value)


def _annotations(tree: ast.AST) -> Iterator[int]:
    """Yield what does nothing at run time, and the texts of messages."""
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef):
            parts = [node.returns, *(a.annotation for a in [*node.args.args, *node.args.kwonlyargs])]
        elif isinstance(node, ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.JoinedStr):
            parts = [node]
        elif isinstance(node, ast.Raise):
            parts = [node.exc]
        for part in parts:
            if part is not None:
                yield from (id(inner) for inner in ast.walk(part))


def _changes(node: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST], None]]]:
    """Yield a description and a function that changes the node's twin."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            other = COMPARISONS[type(operator)]

            def swap(twin: ast.AST, place: int = place, other: type[ast.cmpop] = other) -> None:
                twin.ops[place] = other()  # type: ignore[attr-defined]

            yield f"{type(operator).__name__} -> {other.__name__}", swap
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        other_operator = OPERATORS[type(node.op)]

        def operate(twin: ast.AST) -> None:
            twin.op = other_operator()  # type: ignore[attr-defined]

        yield f"{type(node.op).__name__} -> {other_operator.__name__}", operate
    elif isinstance(node, ast.BoolOp):
        other_bool = ast.Or if isinstance(node.op, ast.And) else ast.And

        def join(twin: ast.AST) -> None:
            twin.op = other_bool()  # type: ignore[attr-defined]

        yield f"{type(node.op).__name__} -> {other_bool.__name__}", join
    elif isinstance(node, (ast.If, ast.While, ast.IfExp)):
        for value in {True, False} - ({node.test.value} if isinstance(node.test, ast.Constant) else set()):

            def fix(twin: ast.AST, value: bool = value) -> None:
                twin.test = ast.Constant(value)  # type: ignore[attr-defined]

            yield f"condition -> {value}", fix
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):

        def add(twin: ast.AST) -> None:
            twin.value += 1  # type: ignore[attr-defined]

        yield f"{node.value} -> {node.value + 1}", add
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and PATTERN.search(node.value):
        for place, character in enumerate(node.value):

            def drop(twin: ast.AST, place: int = place) -> None:
                twin.value = twin.value[:place] + twin.value[place + 1 :]  # type: ignore[attr-defined]

            if character not in "[]^\\":
                yield f"without {character!r} at {place}", drop


def seen(module: str, fault: Fault) -> bool:
    """Run the tests of a module with a fault in it; return whether one fails."""
    file, tests = MODULES[module]
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "src"
        shutil.copytree(ROOT / "src", copied, ignore=shutil.ignore_patterns("__pycache__"))
        (Path(folder) / "models").symlink_to(ROOT / "models")
        (Path(folder) / PACKAGE / file).write_text(fault.source, encoding="utf-8")
        # Forked: what takes seconds to import is here already. The package itself must not be.
        child = multiprocessing.get_context("fork").Process(target=_run, args=(copied, folder, tests))
        child.start()
        child.join(TIMEOUT)
        if child.is_alive():
            child.kill()
            child.join()
    return child.exitcode != 0


def _run(source: Path, folder: str, tests: Sequence[str]) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.chdir(ROOT)
    sys.path[:0] = [str(source)]
    os.environ |= {"PYTHONPATH": str(source), "HYPOTHESIS_STORAGE_DIRECTORY": folder}
    paths = [f"tests/{name}" for name in tests]
    sys.exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *paths]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", nargs="+", choices=list(MODULES), default=list(MODULES))
    parser.add_argument("--limit", type=int, help="no more faults than this of a module, evenly spread")
    arguments = parser.parse_args()
    rows, unseen = [], []
    for module in arguments.module:
        source = (ROOT / PACKAGE / MODULES[module][0]).read_text(encoding="utf-8")
        if seen(module, Fault(0, "none", ast.unparse(ast.parse(source)))):
            raise SystemExit(f"{module}: its tests fail without a fault")
        planted = list(faults(source))
        if arguments.limit and len(planted) > arguments.limit:
            planted = planted[:: -(-len(planted) // arguments.limit)]
        missed = []
        for fault in planted:
            if not seen(module, fault):
                missed.append(fault)
                unseen.append(f"- `{MODULES[module][0]}:{fault.line}`: {fault.what}")
                print(unseen[-1], file=sys.stderr, flush=True)
        share = (len(planted) - len(missed)) / max(1, len(planted))
        rows.append(
            f"| `{MODULES[module][0]}` | {len(planted)} | {len(planted) - len(missed)} | {share:.0%} |"
        )
        print(rows[-1], file=sys.stderr, flush=True)
    from environment import about  # which imports the package

    print(about("python benchmarks/mutants.py"))
    print("\n| module | faults planted | seen by a test | share |\n|---|---|---|---|", *rows, sep="\n")
    print("\nNot seen:\n")
    print(*unseen, sep="\n")


if __name__ == "__main__":
    main()
