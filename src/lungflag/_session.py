"""Open an ONNX graph on the best device there is, the same way for the detector and its gate."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import onnxruntime

from lungflag.errors import PackageFormatError

if TYPE_CHECKING:
    from pathlib import Path


# TF32 keeps 10 bits of 23: a GPU's answer is to differ from the CPU's in the last digits only.
_CUDA = ("CUDAExecutionProvider", {"use_tf32": "0"})
_CPU = "CPUExecutionProvider"


def open_session(graph: bytes, path: Path, *, threads: int) -> Any:
    """Return the ONNX Runtime session of `graph`; `path` names it in errors.

    It runs on CUDA where this build of ONNX Runtime has it and it loads, else on the CPU;
    `provider` tells which.

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
    if _CUDA[0] in onnxruntime.get_available_providers():
        try:  # a driver or a library may be missing, or the process' memory limit too small
            return onnxruntime.InferenceSession(graph, options, providers=[_CUDA, _CPU])
        except Exception:  # the CPU then says whether it was the graph
            logging.getLogger(__name__).warning("CUDA is there but does not load: using the CPU")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=[_CPU])
    except MemoryError:
        raise
    except Exception as error:  # ONNX Runtime's errors share no other base
        if "bad_alloc" in str(error):  # where and when memory ends decides what it raises
            raise MemoryError(f"{path}: too little memory") from error
        raise PackageFormatError(f"{path}: {one_line(error)}") from error


def provider(session: Any) -> str:
    """Return the first word of what the session runs on: ``CUDA`` or ``CPU``."""
    return str(session.get_providers()[0]).removesuffix("ExecutionProvider")


def one_line(error: BaseException) -> str:
    """Return the error's message without line ends, at most 300 letters."""
    return " ".join(str(error).split())[:300] or "no further word"
