"""A run over a data set, which can be killed at any moment and goes on."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from boilerplate_clf.annotate.inputs import HTML, Chunk, Input, find_inputs, read_chunks
from boilerplate_clf.annotate.layout import MANIFEST, part_name
from boilerplate_clf.annotate.outputs import Output, Receipt
from boilerplate_clf.annotate.records import Column, annotate
from boilerplate_clf.bundle import Bundle, find_bundle
from boilerplate_clf.errors import InputError, RunError
from boilerplate_clf.extras import require
from boilerplate_clf.files import sha256_file
from boilerplate_clf.inference.classifier import Classifier

_AHEAD = 2
"""Chunks that are read ahead for each worker."""


@dataclass(frozen=True)
class JobOptions:
    """What decides the output."""

    column: Column = field(default_factory=Column)
    form: str = "parquet"
    model: str | None = None
    mode: str | None = None
    chunk: int = 500
    """Documents of one part."""


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    share: float
    """Of the input's bytes, 0 to 1."""
    documents: int
    new: int
    """Of them, labelled by this run: the others were done before."""


@dataclass(frozen=True)
class JobResult:
    """What a finished run wrote."""

    documents: int
    errors: int
    parts: int
    seconds: float
    paragraphs: dict[str, int]
    """By label."""
    unread: tuple[str, ...] = ()
    """What was wrong with inputs that could not be read, or not to their end; what stands before that was."""


Report = Callable[[Progress], None]


def run_job(
    paths: Sequence[str],
    output: str,
    options: JobOptions | None = None,
    *,
    engine: str = "local",
    workers: int = 1,
    address: str | None = None,
    report: Report = lambda _: None,
) -> JobResult:
    """Label all documents of some files and write them in parts.

    The same command again goes on where a killed run was: finished parts are left alone. The output does not
    depend on engine, number of workers or interruptions.

    Args:
        paths: local paths, globs, folders or fsspec URLs.
        output: folder of the parts.
        options: what decides the output.
        engine: ``local`` (processes on this machine) or ``ray``.
        workers: processes, or actors; each has a model of its own and one thread.
        address: of a Ray cluster; None starts or finds one here.
        report: is told of progress.

    Raises:
        RunError: there are no such inputs, the folder holds another run or a damaged manifest, a worker died,
            or counts do not fit.
    """
    options = options or JobOptions()
    inputs = find_inputs(paths, leave_out=output)
    if len({source.kind == "warc" for source in inputs}) > 1:
        raise RunError("WARC files and others cannot be labelled in one run: run twice")
    warc = any(source.kind == "warc" for source in inputs)
    if warc or options.column.kind == HTML:
        require("html", "trafilatura")
    # Whatever is wrong with model and mode is found out before anything is written.
    classifier = Classifier(options.model, mode=options.mode, threads=1)
    if options.model:  # other processes may stand in other folders
        options = replace(options, model=str(find_bundle(options.model).resolve()))
    target = Output(output, options.form, keep_html=not warc)
    output = target.files.unstrip_protocol(target.root)
    _begin(target, inputs, options, classifier.bundle)
    del classifier
    started = time.monotonic()
    if engine == "ray":
        from boilerplate_clf.annotate.ray_engine import run_ray

        receipts, unread = run_ray(
            inputs, output, options, workers, address, report, keep_html=target.keep_html
        )
    else:
        receipts, unread = _run_local(inputs, target, output, options, workers, report)
    total = Counter[str]()
    for receipt in receipts:
        total.update(receipt.paragraphs)
    result = JobResult(
        documents=sum(receipt.documents for receipt in receipts),
        errors=sum(receipt.errors for receipt in receipts),
        parts=len(receipts),
        seconds=round(time.monotonic() - started, 1),
        paragraphs=dict(sorted(total.items())),
        unread=tuple(sorted(unread)),
    )
    plan = _read_plan(target) or {}
    plan["finished"] = {k: v for k, v in asdict(result).items() if k != "seconds"}
    target.write(MANIFEST, _as_json(plan))
    return result


def _begin(target: Output, inputs: Sequence[Input], options: JobOptions, bundle: Bundle) -> None:
    """Write the manifest, or check that the folder's is of the same run; tidy up behind killed ones.

    Raises:
        RunError: it is not, or it is damaged.
    """
    plan = {
        "options": asdict(options) | {"model": sha256_file(bundle.manifest_path)},
        "inputs": [asdict(source) for source in inputs],
    }
    found = _read_plan(target)
    if found is None:
        target.write(MANIFEST, _as_json(plan))
        return
    for key, value in plan.items():
        if found.get(key) != json.loads(json.dumps(value)):
            # A folder that holds somebody's inputs, too, is none to delete.
            advice = ", or delete this one" if target.only_ours() else ""
            raise RunError(f"{target.root}: holds a run with other {key}: choose another folder{advice}")
    target.tidy()


def _read_plan(target: Output) -> dict[str, Any] | None:
    """Return what the folder's manifest says, None if there is none.

    Raises:
        RunError: it is damaged. It is not written anew: nobody knows then whose parts the folder holds.
    """
    data = target.read(MANIFEST)
    if data is None:
        return None
    try:
        plan = json.loads(data)
        if isinstance(plan, dict):
            return plan
        cause = "not an object"
    except ValueError as error:
        cause = str(error)
    raise RunError(
        f"{target.root}/{MANIFEST}: damaged ({cause}): if the folder's run had these inputs and options, "
        "delete this file and run again; if not, choose another folder"
    )


def _as_json(value: Any) -> bytes:
    # Names of files may hold bytes that are not UTF-8: JSON has escapes for how Python writes them.
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "backslashreplace")


def parts_of(
    number: int, source: Input, options: JobOptions, unread: list[str]
) -> Iterator[tuple[str, Chunk]]:
    """Yield the chunks of an input with the names of their parts.

    An input that cannot be read (any further) ends there, and ``unread`` is told why: the others go on.
    """
    try:
        for place, chunk in enumerate(read_chunks(source, options.chunk)):
            yield part_name(number, place), chunk
    except InputError as error:
        unread.append(str(error))


def checked(part: str, receipt: Receipt, documents: int) -> Receipt:
    """Return a receipt that fits the number of documents that were read.

    Raises:
        RunError: it does not: the input has changed since.
    """
    if receipt.documents != documents:
        raise RunError(
            f"{part}: holds {receipt.documents} documents, the input {documents}: it has changed since the "
            "run was begun; choose another folder"
        )
    return receipt


class Worker:
    """A model, and the folder that it writes into.

    Args:
        output: folder of the parts.
        options: of the job.
        keep_html: see :class:`~boilerplate_clf.annotate.outputs.Output`.
    """

    def __init__(self, output: str, options: JobOptions, *, keep_html: bool) -> None:
        """Load the model."""
        self.options = options
        self.output = Output(output, options.form, keep_html=keep_html)
        self.classifier = Classifier(options.model, mode=options.mode, threads=1)

    def work(self, part: str, chunk: Chunk) -> Receipt:
        """Label a chunk and write it."""
        return self.output.write_part(part, chunk, annotate(chunk, self._column(chunk), self.classifier))

    def _column(self, chunk: Chunk) -> Column:
        """Return the column of the documents; pages of a WARC file are always HTML."""
        warc = not self.output.keep_html and chunk.table is None
        return Column(HTML, HTML) if warc else self.options.column


_worker: Worker | None = None


def _start(output: str, options: JobOptions, keep_html: bool) -> None:
    global _worker
    _worker = Worker(output, options, keep_html=keep_html)


def _work(part: str, chunk: Chunk) -> Receipt:
    if _worker is None:
        raise RuntimeError("the worker has not been started")
    return _worker.work(part, chunk)


def _run_local(
    inputs: Sequence[Input], target: Output, output: str, options: JobOptions, workers: int, report: Report
) -> tuple[list[Receipt], list[str]]:
    total = sum(source.size for source in inputs) or 1
    receipts: list[Receipt] = []
    unread: list[str] = []
    pending: dict[Future[Receipt], tuple[str, int]] = {}
    done = new = 0
    # Not forked: threads of the parent's libraries would not come along.
    context = multiprocessing.get_context("spawn")
    arguments = (output, options, target.keep_html)
    with ProcessPoolExecutor(workers, context, _start, arguments) as pool:

        def collect(share: float, most: int) -> None:
            nonlocal done, new
            while len(pending) > most:
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    part, documents = pending.pop(future)
                    receipts.append(checked(part, future.result(), documents))
                    done += documents
                    new += documents
            report(Progress(share, done, new))

        try:
            before = 0
            for number, source in enumerate(inputs):
                share = before / total
                for part, chunk in parts_of(number, source, options, unread):
                    share = (before + chunk.done * source.size) / total
                    receipt = target.receipt(part)
                    if receipt is not None:
                        receipts.append(checked(part, receipt, len(chunk)))
                        done += len(chunk)
                    else:
                        pending[pool.submit(_work, part, chunk)] = (part, len(chunk))
                    collect(share, workers * _AHEAD)
                before += source.size
            collect(1.0, 0)
        except BrokenProcessPool as error:
            raise RunError("a worker process died: run the same command again to go on") from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return receipts, unread
