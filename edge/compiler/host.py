"""Compiled libraries built with this machine's C compiler and run on input vectors; refuses where there is none.

Many libraries go into one program, since starting the compiler costs more than compiling one of them.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.compiler.library import Library
from features.errors import ParameterError, ToolchainError

__all__ = ["HostProgram", "build_host_program", "run_on_host"]

_FLAGS = ("-std=c11", "-O1", "-g1", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")
_SANITISERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# The sanitisers' checks in every form of the product take five times as long to optimise as to write down; so none of
# them is optimised away.
_PLAIN = ("-O0",)
_BUILD_LIMIT_S, _RUN_LIMIT_S = 600, 600
# Of a failed tool, its last words are enough.
_LAST_CHARACTERS = 2000

_SERVE = """\
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model {
    size_t arena_bytes, input_bytes, output_bytes;
    int8_t *(*input)(void *);
    void (*run)(void *);
    const int8_t *(*output)(const void *);
};

/* Leak detection wants rights over processes that containers withhold. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* The arena holds what a model must not rely on; one more byte than it asks for would be out of bounds. */
static int serve(const struct model *m, FILE *in, FILE *out, unsigned long items)
{
    void *arena = malloc(m->arena_bytes);
    int status = arena == NULL;
    for (unsigned long i = 0; i < items && !status; ++i) {
        memset(arena, (int)(0xA5u + i) & 0xFF, m->arena_bytes);
        status = fread(m->input(arena), 1, m->input_bytes, in) != m->input_bytes;
        m->run(arena);
        status |= fwrite(m->output(arena), 1, m->output_bytes, out) != m->output_bytes;
    }
    free(arena);
    return status;
}
"""
_MAIN = """
int main(int argc, char **argv)
{
    FILE *in = argc > 2 ? fopen(argv[1], "rb") : NULL;
    FILE *out = in != NULL ? fopen(argv[2], "wb") : NULL;
    int status = out == NULL;
    for (size_t i = 0; i < sizeof models / sizeof models[0] && !status; ++i) {
        status = serve(&models[i], in, out, strtoul(argv[3 + i], NULL, 10));
    }
    return status || fclose(out) != 0;
}
"""


@dataclass(frozen=True)
class HostProgram:
    """One executable that serves several libraries.

    Attributes
    ----------
    executable : Path
        Takes a file of inputs, a file to write outputs to, and the number of items for each library.
    libraries : tuple of Library
        In the order of their inputs and outputs.
    """

    executable: Path
    libraries: tuple[Library, ...]

    def run(self, inputs: Sequence[NDArray[np.int8]]) -> list[NDArray[np.int8]]:
        """Run every library on its own items.

        Parameters
        ----------
        inputs : sequence of int8 ndarray, shape (items, input_bytes)
            One array a library; floats are given as their bytes.

        Returns
        -------
        list of int8 ndarray, shape (items, output_bytes)

        Raises
        ------
        ParameterError
            If an array does not fit its library.
        ToolchainError
            If the program fails, or a sanitiser finds something; its last words are in the message.
        """
        if len(inputs) != len(self.libraries):
            raise ParameterError(f"{len(inputs)} inputs were given to a program of {len(self.libraries)} libraries")
        for array, library in zip(inputs, self.libraries, strict=True):
            if array.dtype != np.int8 or array.ndim != 2 or array.shape[1] != library.input_bytes:
                raise ParameterError(
                    f"{array.dtype} of shape {array.shape} was given to {library.name}; "
                    f"int8 of shape (items, {library.input_bytes}) is wanted"
                )
        given, found = self.executable.with_suffix(".in"), self.executable.with_suffix(".out")
        given.write_bytes(b"".join(array.tobytes() for array in inputs))
        counts = [str(len(array)) for array in inputs]
        _call([str(self.executable), str(given), str(found), *counts], limit_s=_RUN_LIMIT_S)
        return _split(found.read_bytes(), inputs, self.libraries)


def build_host_program(libraries: Sequence[Library], folder: Path, *, sanitise: bool = False) -> HostProgram:
    """Compile libraries and what serves them into one executable.

    Parameters
    ----------
    libraries : sequence of Library
        With names that differ, from one version of the runtime.
    folder : Path
        Of this program; kernels that were compiled there before are used again.
    sanitise : bool
        With the address and the undefined-behaviour sanitiser, either ending the program.

    Returns
    -------
    HostProgram

    Raises
    ------
    ParameterError
        If there is no library, or two have one name.
    ToolchainError
        If there is no C compiler, or it refuses the code; warnings are errors.
    """
    names = [library.name for library in libraries]
    if not names or len(set(names)) != len(names):
        raise ParameterError(f"libraries of different names are wanted, and one at least; {names} were given")
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise ToolchainError("no C compiler was found on this machine; install gcc", tool="gcc")
    folder.mkdir(parents=True, exist_ok=True)
    command = [compiler, *_FLAGS, *(_SANITISERS if sanitise else ())]
    objects = _objects(libraries, folder, command)
    main = folder / "main.c"
    main.write_text(_program(libraries))
    executable = folder / "program"
    level = _PLAIN if sanitise else ()
    _call([*command, *level, str(main), *map(str, objects), "-o", str(executable), "-lm"], limit_s=_BUILD_LIMIT_S)
    return HostProgram(executable, tuple(libraries))


def run_on_host(
    library: Library, inputs: NDArray[np.int8], folder: Path, *, sanitise: bool = False
) -> NDArray[np.int8]:
    """Build one library in a folder and run it on items.

    Parameters
    ----------
    library : Library
        As compiled.
    inputs : int8 ndarray, shape (items, input_bytes)
        Floats are given as their bytes.
    folder : Path
        For what is built.
    sanitise : bool
        As in `build_host_program`.

    Returns
    -------
    int8 ndarray, shape (items, output_bytes)

    Raises
    ------
    ParameterError, ToolchainError
        As in `build_host_program` and `HostProgram.run`.
    """
    return build_host_program([library], folder, sanitise=sanitise).run([inputs])[0]


def _objects(libraries: Sequence[Library], folder: Path, command: list[str]) -> list[Path]:
    """The kernels of all libraries, each once; compiled anew only where a file of theirs or the command differs."""
    models = {f"rw_{library.name}" for library in libraries}
    files = {path.name: path for library in libraries for path in library.folder.glob("rw_*.[ch]")}
    runtime = [files[name] for name in sorted(files) if files[name].stem not in models]
    headers = b"".join(path.read_bytes() for path in runtime if path.suffix == ".h")
    return [_object(path, headers, folder, command) for path in runtime if path.suffix == ".c"]


def _object(source: Path, headers: bytes, folder: Path, command: list[str]) -> Path:
    digest = hashlib.sha256("\0".join(command).encode() + source.read_bytes() + headers).hexdigest()
    compiled = folder / f"{source.stem}-{digest[:16]}.o"
    if not compiled.exists():
        _call([*command, "-c", str(source), "-o", str(compiled)], limit_s=_BUILD_LIMIT_S)
    return compiled


def _program(libraries: Sequence[Library]) -> str:
    """One source: the models' own files, whose names all begin with the model's, and what serves them."""
    included = [f'#include "{(library.folder / f"rw_{library.name}.c").resolve()}"' for library in libraries]
    rows = [
        f"    {{RW_{name.upper()}_ARENA_BYTES, RW_{name.upper()}_INPUT_BYTES, RW_{name.upper()}_OUTPUT_BYTES, "
        f"rw_{name}_input, rw_{name}_run, rw_{name}_output}},"
        for name in (library.name for library in libraries)
    ]
    table = "\n".join(["", "static const struct model models[] = {", *rows, "};"])
    return "\n".join(included) + "\n" + _SERVE + table + "\n" + _MAIN


def _call(command: list[str], *, limit_s: float) -> None:
    name = Path(command[0]).name
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        raise ToolchainError(f"{name} did not end within {limit_s:.0f} s", tool=name) from error
    except OSError as error:
        raise ToolchainError(f"{name} cannot be started: {error}", tool=name) from error
    if done.returncode:
        raise ToolchainError(
            f"{name} failed ({done.returncode}): {(done.stderr or done.stdout)[-_LAST_CHARACTERS:]}", tool=name
        )


def _split(raw: bytes, inputs: Sequence[NDArray[np.int8]], libraries: Sequence[Library]) -> list[NDArray[np.int8]]:
    sizes = [len(array) * library.output_bytes for array, library in zip(inputs, libraries, strict=True)]
    if len(raw) != sum(sizes):
        raise ToolchainError(f"the program wrote {len(raw)} bytes of outputs; {sum(sizes)} were expected", tool="gcc")
    parts = np.split(np.frombuffer(raw, dtype=np.int8), np.cumsum(sizes)[:-1])
    return [
        part.reshape(len(array), library.output_bytes)
        for part, array, library in zip(parts, inputs, libraries, strict=True)
    ]
