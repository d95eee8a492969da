"""The scale-out engine: Ray Data, one model per actor, a file of the input at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from boilerplate_clf.annotate.inputs import Input
from boilerplate_clf.annotate.job import JobOptions, Progress, Report, Worker, checked, parts_of
from boilerplate_clf.annotate.outputs import Receipt
from boilerplate_clf.errors import RunError
from boilerplate_clf.extras import require


class RayAnnotator:
    """An actor: writes the parts of the inputs that it is given, as the local engine does."""

    def __init__(self, inputs: Sequence[Input], output: str, options: JobOptions, keep_html: bool) -> None:
        """Load the model."""
        self.inputs, self.options = inputs, options
        self.worker = Worker(output, options, keep_html=keep_html)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Label the inputs whose numbers a batch holds."""
        found: dict[str, list[Any]] = {"input": [], "receipts": [], "unread": []}
        for number in batch["id"]:
            receipts: list[Receipt] = []
            unread: list[str] = []
            for part, chunk in parts_of(int(number), self.inputs[number], self.options, unread):
                receipt = self.worker.output.receipt(part) or self.worker.work(part, chunk)
                receipts.append(checked(part, receipt, len(chunk)))
            found["input"].append(int(number))
            found["receipts"].append(json.dumps([asdict(receipt) for receipt in receipts]))
            found["unread"].append(json.dumps(unread))
        return found


def run_ray(
    inputs: Sequence[Input],
    output: str,
    options: JobOptions,
    workers: int,
    address: str | None,
    report: Report,
    *,
    keep_html: bool,
) -> tuple[list[Receipt], list[str]]:
    """Label all inputs on a Ray cluster, which must see input and output under the same paths.

    Returns:
        What the parts hold, and what was wrong with inputs that could not be read.
    """
    ray = require("ray", "ray")
    data = require("ray", "ray.data")
    if not ray.is_initialized():
        ray.init(address=address, log_to_driver=False, logging_level="error")
    data.DataContext.get_current().enable_progress_bars = False
    # Items, which need no CPU to be read: a range would wait for ever for one that the actors do not hold.
    items = [{"id": number} for number in range(len(inputs))]
    cpus = max(1, int(ray.cluster_resources().get("CPU", 1)))
    numbers = data.from_items(items, override_num_blocks=len(inputs)).map_batches(
        RayAnnotator,
        fn_constructor_args=(list(inputs), output, options, keep_html),
        batch_size=1,
        concurrency=(min(workers, cpus), workers),
        num_cpus=1,
    )
    total, before = sum(source.size for source in inputs) or 1, 0
    receipts: list[Receipt] = []
    unread: list[str] = []
    for row in _rows(numbers):
        receipts += [Receipt(**values) for values in json.loads(row["receipts"])]
        unread += json.loads(row["unread"])
        before += inputs[row["input"]].size
        documents = sum(receipt.documents for receipt in receipts)
        report(Progress(before / total, documents, documents))
    return receipts, unread


def _rows(numbers: Any) -> Iterator[dict[str, Any]]:
    """Yield a data set's rows.

    Raises:
        RunError: an actor failed.
    """
    errors = require("ray", "ray.exceptions")
    try:
        yield from numbers.iter_rows()
    except errors.RayError as error:
        cause = str(error).strip().splitlines()
        raise RunError(
            f"Ray: {cause[-1] if cause else error}; run the same command again to go on"
        ) from error
