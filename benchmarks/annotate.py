"""A run over a whole data set: throughput, memory, both engines, and what is left after being killed.

    python benchmarks/annotate.py --documents 200000 [--corpus FILE.txt.xz] [--engines local ray] [--kills 20]

The documents are made of paragraphs of a corpus file (without one: of sentences put together here), some with
authored appeals between them. Printed: documents and paragraphs per second, the peak memory of the largest
process early and late in the run, whether the engines give the same output, byte for byte, and whether a run
that was killed again and again (SIGKILL, the whole process group) ends with the same output, too.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from boilerplate_clf.training.corpus import iter_documents

ROOT = Path(__file__).resolve().parent.parent
FILES = 8


def paragraphs(corpus: Path | None, rng: random.Random) -> Iterator[str]:
    """Yield paragraphs without end."""
    if corpus is not None:
        while True:
            for document in iter_documents(corpus):
                yield from document
    places = ("Altbach", "Brunnweiler", "Oberried", "Lindental", "Neuhof", "Wiesing")
    for number in cycle(range(10**6)):
        yield f"Der Rat von {rng.choice(places)} hat am {number % 28 + 1}. Mai über den Haushalt beraten."


def write_inputs(folder: Path, number: int, corpus: Path | None) -> int:
    """Write the documents in several files; return their paragraphs."""
    rng = random.Random(0)
    lines = (ROOT / "training" / "data" / "blocks.jsonl").read_text(encoding="utf-8").splitlines()
    blocks = [[p["text"] for p in json.loads(line)["paragraphs"]] for line in lines]
    source, total = paragraphs(corpus, rng), 0
    for file in range(FILES):
        with (folder / f"docs-{file}.jsonl").open("w", encoding="utf-8") as stream:
            for i in range(file, number, FILES):
                texts = [next(source) for _ in range(rng.randint(2, 6))]
                if rng.random() < 0.3:
                    place = rng.randint(1, len(texts))
                    texts[place:place] = rng.choice(blocks)[:3]
                total += len(texts)
                stream.write(json.dumps({"id": i, "text": "\n".join(texts)}, ensure_ascii=False) + "\n")
    return total


def command(inputs: Path, output: Path, engine: str, workers: int) -> list[str]:
    """Return the command line of a run."""
    program = [sys.executable, "-m", "boilerplate_clf.cli.main", "annotate", f"{inputs}/*.jsonl"]
    return [
        *program,
        "--output",
        str(output),
        "--engine",
        engine,
        "--workers",
        str(workers),
        "--format",
        "jsonl",
    ]


def memory(group: int, stop: threading.Event, peaks: list[tuple[float, float]]) -> None:
    """Note the largest resident set (MB) of a process group's members, every second."""
    started = time.monotonic()
    while not stop.wait(1.0):
        sizes = [0.0]
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                if os.getpgid(int(status.parent.name)) == group:
                    text = status.read_text()
                    sizes.append(int(text.split("VmRSS:")[1].split()[0]) / 1024 if "VmRSS:" in text else 0.0)
            except (OSError, ValueError):
                continue
        peaks.append((time.monotonic() - started, max(sizes)))


def timed(arguments: list[str]) -> tuple[float, list[tuple[float, float]]]:
    """Run a command; return its seconds and its memory over time."""
    started = time.monotonic()
    run = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    stop, peaks = threading.Event(), [(0.0, 0.0)]
    watcher = threading.Thread(target=memory, args=(run.pid, stop, peaks))
    watcher.start()
    told, _ = run.communicate()
    seconds = time.monotonic() - started
    stop.set()
    watcher.join()
    if run.returncode:
        raise SystemExit(told.decode())
    return seconds, peaks


def contents(folder: Path) -> bytes:
    """Return the lines of all parts, sorted."""
    return b"".join(sorted(line for part in folder.glob("part-*") for line in part.open("rb")))


def kill_and_go_on(arguments: list[str], seconds: float, kills: int) -> None:
    """Start a run again and again, and kill it at random moments; let the last one finish."""
    rng = random.Random(0)
    for _ in range(kills):
        run = subprocess.Popen(
            arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            run.wait(timeout=rng.uniform(2.0, 2.0 + 2 * seconds / kills))
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--engines", nargs="+", default=["local", "ray"], choices=["local", "ray"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder) / "in"
        inputs.mkdir()
        total = write_inputs(inputs, arguments.documents, arguments.corpus)
        size = sum(path.stat().st_size for path in inputs.iterdir()) / 1e6
        print(f"{arguments.documents:,} documents, {total:,} paragraphs, {size:.0f} MB")
        found = {}
        for engine in arguments.engines:
            output = Path(folder) / engine
            seconds, peaks = timed(command(inputs, output, engine, arguments.workers))
            half = len(peaks) // 2
            early, late = (max(mb for _, mb in part) for part in (peaks[: half + 1], peaks[half:]))
            print(
                f"{engine}: {seconds:.0f} s, {arguments.documents / seconds:.1f} documents/s, "
                f"{total / seconds:.0f} paragraphs/s with {arguments.workers} workers; largest process "
                f"{early:.0f} MB in the first half, {late:.0f} MB in the second",
                flush=True,
            )
            found[engine] = contents(output)
        if len(found) > 1:
            print("same output of both engines:", len(set(found.values())) == 1)
        if arguments.kills:
            output = Path(folder) / "killed"
            kill_and_go_on(command(inputs, output, "local", arguments.workers), seconds, arguments.kills)
            same = contents(output) == next(iter(found.values()))
            print(f"same output after {arguments.kills} kills: {same}")


if __name__ == "__main__":
    main()
