"""The TFLite Micro interpreter as the word on what a node computes; refuses files that it refuses, by their reason.

It runs in a process of its own, since a damaged file can end the process that reads it.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import io
import json
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.tflite.graph import Graph, Tensor
from edge.tflite.reading import read_tflite
from features.errors import ArtifactError, ParameterError

__all__ = ["Arena", "ends_of", "item_shape", "measure_arena", "run_numbers", "run_tflm"]

_WORKER = Path(__file__).with_name("oracle_worker.py")
# A damaged file may also make it run without end; no network of a node comes near.
_PATIENCE_S = 600.0


@dataclass(frozen=True)
class Arena:
    """Memory that TFLite Micro needs for a network on x86-64; pointers of a 32-bit node make both smaller.

    Attributes
    ----------
    used_bytes : int
        What is allocated once the network has run.
    least_bytes : int
        The smallest arena that the interpreter starts in, a multiple of 16; more than is used, because planning takes
        memory that it gives back, and the interpreter that counts takes some for itself.
    """

    used_bytes: int
    least_bytes: int


def run_tflm(model: bytes, inputs: NDArray[Any]) -> NDArray[Any]:
    """Run a network in the TFLite Micro interpreter, one item at a time.

    Parameters
    ----------
    model : bytes
        A `.tflite` of one input and one output.
    inputs : ndarray, shape (items, ...)
        Of the type and, beside the batch of one, the shape of the network's input: int8, or float32 where a network
        quantises by itself.

    Returns
    -------
    ndarray, shape (items, ...)
        Of the type of the network's output.

    Raises
    ------
    ArtifactError
        If the file is damaged, has an operator that TFLite Micro lacks, or the interpreter is not installed.
    ParameterError
        If the inputs are of another type or shape.
    """
    graph = read_tflite(model)
    into, out = ends_of(graph)
    given = np.asarray(inputs)
    if given.dtype != into.dtype or given.shape[1:] != item_shape(into):
        raise ParameterError(
            f"inputs of {given.dtype} and shape {given.shape[1:]} were given; {into.dtype} of shape "
            f"{item_shape(into)} is wanted"
        )
    if not len(given):
        return np.empty((0, *item_shape(out)), dtype=out.dtype)
    _, body = _worker().ask(model, task="run", graph=graph, inputs=given)
    results: NDArray[Any] = np.load(io.BytesIO(body), allow_pickle=False)
    return results.reshape(len(given), *item_shape(out))


def run_numbers(model: bytes, inputs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Run a network of integers or floats in TFLite Micro on inputs as numbers.

    Parameters
    ----------
    model : bytes
        A `.tflite` of one input and one output, each int8 or float32.
    inputs : ndarray, shape (items, ...)
        Quantised here by the scale of an int8 input; beyond its range they saturate.

    Returns
    -------
    ndarray, shape (items, ...)
        What the outputs stand for.

    Raises
    ------
    ArtifactError, ParameterError
        As `run_tflm`.
    """
    into, out = ends_of(read_tflite(model))
    given = np.asarray(inputs, dtype=np.float32)
    results = run_tflm(model, into.quantised.integers(given) if into.dtype == np.int8 else given)
    return results.astype(np.float64) if out.quantisation is None else out.quantisation.numbers(results)


def measure_arena(model: bytes) -> Arena:
    """Measure the memory that TFLite Micro needs for a network.

    Parameters
    ----------
    model : bytes
        A `.tflite` of one input and one output.

    Returns
    -------
    Arena

    Raises
    ------
    ArtifactError
        As `run_tflm`.
    """
    graph = read_tflite(model)
    ends_of(graph)
    header, _ = _worker().ask(model, task="arena", graph=graph)
    return Arena(used_bytes=int(header["used"]), least_bytes=int(header["least"]))


def ends_of(graph: Graph) -> tuple[Tensor, Tensor]:
    """Input and output of a network that has one of each.

    Raises
    ------
    ArtifactError
        If it has others.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        given = f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs"
        raise ArtifactError(f"a network of {given} was given; one of each is wanted")
    return graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]


def item_shape(tensor: Tensor) -> tuple[int, ...]:
    """Shape of one item: that of the tensor without a batch of one."""
    return tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape


class _Worker:
    """The interpreter's process, started when it is first asked and again after it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ask(
        self, model: bytes, *, task: str, graph: Graph, inputs: NDArray[Any] | None = None
    ) -> tuple[dict[str, Any], bytes]:
        """Have a task done; the answer's header and bytes."""
        body = io.BytesIO()
        if inputs is not None:
            np.save(body, inputs, allow_pickle=False)
        tensors = sum(tensor.n_bytes for tensor in graph.tensors if tensor.data is None)
        request = {"task": task, "model": len(model), "inputs": len(body.getvalue()), "tensors": tensors}
        with self._lock:
            header, answer = self._exchange(json.dumps(request).encode() + b"\n" + model + body.getvalue())
        if "error" in header:
            raise _refusal(header)
        return header, answer

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _exchange(self, message: bytes) -> tuple[dict[str, Any], bytes]:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Timer(_PATIENCE_S, process.kill)
        late.start()
        try:
            process.stdin.write(message)
            process.stdin.flush()
            header = json.loads(process.stdout.readline())
            answer = process.stdout.read(header["bytes"])
        except (OSError, ValueError) as error:
            code = process.wait()
            self.close()
            raise ArtifactError(
                f"the TFLite Micro interpreter broke down over this .tflite (exit code {code}); it is damaged, convert "
                "the model again"
            ) from error
        finally:
            late.cancel()
        if "error" in header:
            self.close()
        return header, answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            if importlib.util.find_spec("tflite_micro") is None:
                raise ArtifactError(
                    "the TFLite Micro interpreter is not installed; pip install 'raceway[edge]' (Linux on x86-64)"
                )
            # -P: the folder of the script holds modules that must not be taken for others' packages.
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        return self._process


@functools.cache
def _worker() -> _Worker:
    worker = _Worker()
    atexit.register(worker.close)
    return worker


def _refusal(header: dict[str, Any]) -> ArtifactError:
    """The interpreter's refusal, by the operator that it lacks or by the last line that it printed."""
    lacking = re.search(r"Didn't find op for builtin opcode '([^']+)'|find custom op[^']*'([^']+)'", header["log"])
    if lacking:
        name = lacking.group(1) or lacking.group(2)
        return ArtifactError(f"TFLite Micro has no operator {name}; build the network of others")
    lines = [line.strip() for line in header["log"].splitlines() if line.strip()]
    reason = "; ".join(lines[-2:]) or header["error"]
    return ArtifactError(f"TFLite Micro refuses this .tflite ({reason}); convert the model again")
