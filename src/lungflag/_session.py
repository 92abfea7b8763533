"""Open an ONNX graph on the CPU, the same way for the detector and its gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnxruntime

from lungflag.errors import PackageFormatError

if TYPE_CHECKING:
    from pathlib import Path


def open_session(graph: bytes, path: Path, *, threads: int) -> Any:
    """Return the ONNX Runtime session of `graph`; `path` names it in errors.

    Raises
    ------
    PackageFormatError
        If the bytes are no graph that ONNX Runtime runs.
    MemoryError
        If there is too little memory for it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            graph, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except MemoryError:
        raise
    except Exception as error:  # ONNX Runtime's errors share no other base
        if "bad_alloc" in str(error):  # where and when memory ends decides what it raises
            raise MemoryError(f"{path}: too little memory") from error
        raise PackageFormatError(f"{path}: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """Return the error's message without line ends, at most 300 letters."""
    return " ".join(str(error).split())[:300] or "no further word"
