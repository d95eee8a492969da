"""The service under load: wrk on loopback, beside the library's own throughput in the same run.

    python benchmarks/serve.py [--seconds 60] [--connections 64] [--workers 1]

The documents are the project's authored pages, one a request. The library labels them first and last, in a
process of its own with as many threads, so that what else the machine does shows. Printed: pages per second
and CPU time of both, latencies, statuses, the resident memory of the service over time; then the same with
room for half of the connections only, where the rest must get 429 and nothing else. wrk must be installed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = 400

SCRIPT = """
local bodies = {}
for line in io.lines("%s") do bodies[#bodies + 1] = line end
local number = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function()
  number = number %% #bodies + 1
  return wrk.format(nil, nil, nil, bodies[number])
end
"""

LIBRARY = """
import json, sys, time
from boilerplate_clf import Classifier
pages = [json.loads(line)["text"] for line in open(sys.argv[1])]
classifier = Classifier()
list(classifier.predict_batch(pages[:50]))
started, cpu, done = time.perf_counter(), time.process_time(), 0
while time.perf_counter() - started < float(sys.argv[2]):
    done += len(list(classifier.predict_batch(pages)))
print(done / (time.perf_counter() - started), (time.process_time() - cpu) / done)
"""


def write_pages(path: Path) -> None:
    """Write one request body a line."""
    lines = (ROOT / "training" / "data" / "pages.jsonl").read_text(encoding="utf-8").splitlines()
    step = max(1, len(lines) // PAGES)
    texts = ["\n".join(p["text"] for p in json.loads(line)["paragraphs"]) for line in lines[::step]]
    bodies = [json.dumps({"text": text}) + "\n" for text in texts[:PAGES]]
    path.write_text("".join(bodies), encoding="utf-8")
    chars = sorted(map(len, texts[:PAGES]))
    print(f"{len(bodies)} pages, median {chars[len(chars) // 2]:,} characters, longest {chars[-1]:,}")


def library(pages: Path, seconds: float) -> tuple[float, float]:
    """Return the pages that the library labels in a second, and the CPU seconds that each takes."""
    command = [sys.executable, "-c", LIBRARY, str(pages), str(seconds)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(said[0]), float(said[1])


@contextmanager
def service(port: int, *arguments: str) -> Iterator[int]:
    """Run the service; yield its process's id."""
    command = [sys.executable, "-m", "boilerplate_clf.cli.main", "serve", "--port", str(port), *arguments]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz").read()
            break
        except OSError:
            time.sleep(0.1)
    yield run.pid
    run.send_signal(signal.SIGTERM)
    print(f"  exit code after SIGTERM: {run.wait(60)}")


def used(parent: int) -> tuple[float, float]:
    """Return the resident megabytes of a process and its children, and their CPU seconds so far."""
    size = seconds = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status, stat = (folder / "status").read_text(), (folder / "stat").read_text()
        except OSError:
            continue
        if (int(folder.name) == parent or f"\nPPid:\t{parent}\n" in status) and "VmRSS:" in status:
            size += int(status.split("VmRSS:")[1].split()[0]) / 1024
            user, system = stat.rpartition(")")[2].split()[11:13]
            seconds += (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return size, seconds


def statuses(port: int) -> dict[str, int]:
    """Return the answers of /v1/predict by status."""
    page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    found = re.findall(r'requests_total\{route="/v1/predict",status="(\d+)"\} (\S+)', page)
    return {status: int(float(count)) for status, count in found}


def load(port: int, seconds: int, connections: int, script: Path) -> str:
    """Run wrk; return what it says."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s"]
    target = f"http://127.0.0.1:{port}/v1/predict"
    done = subprocess.run([*command, "-s", str(script), target], check=True, capture_output=True, text=True)
    return done.stdout


def measure(port: int, process: int, seconds: int, connections: int, script: Path) -> tuple[float, float]:
    """Load the service; print and return its good answers in a second, and the CPU seconds of each."""
    sizes: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(1.0):
            sizes.append(used(process)[0])

    watcher = threading.Thread(target=watch)
    load(port, 5, connections, script)  # warm
    before, cpu = statuses(port), used(process)[1]
    watcher.start()
    started = time.perf_counter()
    said = load(port, seconds, connections, script)
    taken = time.perf_counter() - started
    cpu = used(process)[1] - cpu
    done.set()
    watcher.join()
    after = {status: count - before.get(status, 0) for status, count in statuses(port).items()}
    for line in said.splitlines():
        if re.match(r"\s+(50|75|90|99)%|\s+Socket errors|\s+Non-2xx", line):
            print(f"  {line.strip()}")
    good = max(1, after.get("200", 0))
    print(f"  answers by status: {after}")
    print(f"  {good / taken:.1f} pages/s, {1000 * cpu / good:.1f} ms of CPU a page")
    third = max(1, len(sizes) // 3)
    parts = [sizes[:third], sizes[third : 2 * third], sizes[2 * third :]]
    print("  resident MB, largest of each third: " + ", ".join(f"{max(part or [0]):.0f}" for part in parts))
    return good / taken, cpu / good


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--port", type=int, default=8765)
    arguments = parser.parse_args()
    workers = ["--workers", str(arguments.workers)]
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} CPUs")
    with tempfile.TemporaryDirectory() as folder:
        pages, script = Path(folder) / "pages.jsonl", Path(folder) / "load.lua"
        write_pages(pages)
        script.write_text(SCRIPT % pages)
        library_seconds = arguments.seconds / 3
        found = [library(pages, library_seconds)]
        print(f"library, before: {found[0][0]:.1f} pages/s, {1000 * found[0][1]:.1f} ms of CPU a page")
        print(f"service, {arguments.connections} connections, {arguments.seconds} s:", flush=True)
        with service(arguments.port, *workers) as process:
            served = measure(arguments.port, process, arguments.seconds, arguments.connections, script)
        found.append(library(pages, library_seconds))
        print(f"library, after: {found[1][0]:.1f} pages/s, {1000 * found[1][1]:.1f} ms of CPU a page")
        rate, cpu = (sum(values) / 2 for values in zip(*found, strict=True))
        print(f"overhead: {1 - served[0] / rate:.0%} of the pages/s, {served[1] / cpu - 1:.0%} CPU a page")
        room = str(arguments.connections // 2 // arguments.workers)
        print(f"service with room for {room} a worker:", flush=True)
        with service(arguments.port + 1, *workers, "--max-concurrent", room) as process:
            measure(arguments.port + 1, process, arguments.seconds // 3, arguments.connections, script)


if __name__ == "__main__":
    main()
