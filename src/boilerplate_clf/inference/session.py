"""The ONNX session: windows in, one row of logits per paragraph out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from boilerplate_clf.errors import BundleFormatError, UnsafeModelError
from boilerplate_clf.inference.windows import Window
from boilerplate_clf.machine import available_threads

Floats = npt.NDArray[np.float32]


class Session:
    """Runs an ONNX model with inputs ``input_ids`` (B, T) and ``markers`` (B, P), both int64.

    One session may be shared by threads: ``InferenceSession.run`` is thread-safe.

    Args:
        model: bytes of the ONNX file; bytes, not a path, so that what runs is what was verified
            and no file beside it can be referred to.
        labels: number of labels the model must give.
        threads: intra-op threads; None takes :func:`~boilerplate_clf.machine.available_threads`.
    """

    def __init__(self, model: bytes, labels: int, threads: int | None = None) -> None:
        """Load the model."""
        self._model, self._threads = model, threads or available_threads()
        self._process = os.getpid()
        self._session, self._pool = self._open(), self._workers()
        names = sorted(node.name for node in self._session.get_inputs())
        if names != ["input_ids", "markers"]:
            raise BundleFormatError(f"model.onnx has inputs {names}, not ['input_ids', 'markers']")
        self._labels = labels

    def _open(self) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        # Shapes differ from call to call: pattern and arena would only keep the largest for ever.
        options.enable_mem_pattern = False
        options.enable_cpu_mem_arena = False
        # Threads that spin while they wait double the CPU time of an article, and stand in each other's way
        # where several processes work side by side.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            return ort.InferenceSession(self._model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises a dozen unrelated types
            raise UnsafeModelError(f"model.onnx cannot be loaded: {str(error).splitlines()[0]}") from error

    def run(self, windows: Iterable[Window]) -> list[Floats]:
        """Return for each window an array ``(paragraphs, labels)`` of logits.

        One window a call, as the graph expects it (:mod:`boilerplate_clf.training.fuse`): padding a
        batch costs a CPU more than it saves, and dynamic quantisation takes its scales over the whole
        batch, so that a document's scores would depend on which documents happen to share its call.

        Raises:
            BundleFormatError: the model cannot be run, or gives scores of another shape, or no numbers.
        """
        if os.getpid() != self._process:
            # After a fork the threads of the parent's session are gone: a call would wait for ever.
            # So would its end: it is kept.
            self._left = self._session, self._pool
            self._session, self._pool, self._process = self._open(), self._workers(), os.getpid()
        several = list(windows)
        if self._pool is None or len(several) < 2:
            return [self._forward(window) for window in several]
        # Windows side by side use the threads better than the parts of one window do.
        return list(self._pool.map(self._forward, several))

    def _workers(self) -> ThreadPoolExecutor | None:
        return ThreadPoolExecutor(self._threads) if self._threads > 1 else None

    def _forward(self, window: Window) -> Floats:
        ids = np.asarray([window.ids], np.int64)
        markers = np.asarray([window.markers], np.int64)
        try:
            logits = self._session.run(None, {"input_ids": ids, "markers": markers})[0]
        except Exception as error:  # onnxruntime raises a dozen unrelated types
            raise BundleFormatError(f"model.onnx cannot be run: {str(error).splitlines()[0]}") from error
        expected = (1, len(window.markers), self._labels)
        if logits.shape != expected:
            raise BundleFormatError(f"model.onnx gives scores of shape {logits.shape}, not {expected}")
        if not np.isfinite(logits).all():
            raise BundleFormatError("model.onnx gives scores that are not numbers")
        rows: Floats = logits[0]
        return rows
