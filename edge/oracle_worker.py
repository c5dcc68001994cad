"""The process that holds the TFLite Micro interpreter: answers one request after another, and ends after a refusal.

A damaged file can make the interpreter write anywhere, so it runs apart, and what has seen one is not asked again. It
is started by path and imports nothing of Raceway. A message is a line of JSON, then as many bytes as the line says.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import tempfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["main"]

# The interpreter places buffers at multiples of 16 bytes.
_ALIGNMENT = 16
# What its lists and its memory planner take beside the tensors.
_MARGIN = 1 << 20


def main() -> None:
    """Answer until the input ends."""
    with tempfile.TemporaryFile() as log, os.fdopen(os.dup(1), "wb") as answers:
        # The interpreter prints reasons and sizes from C; nothing of it may come between the answers.
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        while line := sys.stdin.buffer.readline():
            request = json.loads(line)
            model, inputs = (sys.stdin.buffer.read(request[key]) for key in ("model", "inputs"))
            try:
                header, body = _answer(request, model, inputs, log)
            except Exception as error:  # noqa: BLE001  (whatever the interpreter says of a file is an answer)
                header, body = {"error": f"{type(error).__name__}: {error}", "log": _drained(log)}, b""
            answers.write(json.dumps({**header, "bytes": len(body)}).encode() + b"\n" + body)
            answers.flush()
            if "error" in header:
                return


def _answer(request: dict[str, Any], model: bytes, inputs: bytes, log: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    if request["task"] == "arena":
        return _arena(model, request["tensors"], log), b""
    given = np.load(io.BytesIO(inputs), allow_pickle=False)
    interpreter = _interpreter(model, _plenty(model, request["tensors"]))
    shape = interpreter.get_input_details(0)["shape"]
    results = [_invoked(interpreter, item.reshape(shape)) for item in given]
    body = io.BytesIO()
    np.save(body, np.stack(results), allow_pickle=False)
    _drained(log)
    return {}, body.getvalue()


def _arena(model: bytes, tensors: int, log: IO[bytes]) -> dict[str, int]:
    """Bytes that are allocated, and the least arena that the interpreter starts in."""
    enough = _plenty(model, tensors)
    _drained(log)
    interpreter = _interpreter(model, enough)
    detail = interpreter.get_input_details(0)
    _invoked(interpreter, np.zeros(detail["shape"], detail["dtype"]))
    interpreter.print_allocations()
    used = int(re.findall(r"Arena allocation total (\d+) bytes", _drained(log))[0])
    fails, works = 0, enough // _ALIGNMENT
    while works - fails > 1:
        middle = (fails + works) // 2
        fails, works = (fails, middle) if _starts(model, middle * _ALIGNMENT) else (middle, works)
    _drained(log)
    return {"used": used, "least": works * _ALIGNMENT}


def _plenty(model: bytes, tensors: int) -> int:
    """An arena that is surely enough; what ends on a multiple of 16 is allocated without padding."""
    return -(-(10 * len(model) + 4 * tensors + _MARGIN) // _ALIGNMENT) * _ALIGNMENT


def _interpreter(model: bytes, arena: int) -> Any:
    from tflite_micro import runtime

    return runtime.Interpreter.from_bytes(model, arena_size=arena)


def _starts(model: bytes, arena: int) -> bool:
    """Whether it starts, tried in a copy of this process: in too small an arena it may crash instead of refusing."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _interpreter(model, arena)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _invoked(interpreter: Any, item: NDArray[Any]) -> NDArray[Any]:
    interpreter.set_input(np.ascontiguousarray(item), 0)
    interpreter.invoke()
    return np.array(interpreter.get_output(0))


def _drained(log: IO[bytes]) -> str:
    """What was printed since it was last read."""
    log.seek(0)
    text = log.read().decode(errors="replace")
    log.seek(0)
    log.truncate()
    return text


if __name__ == "__main__":
    main()
