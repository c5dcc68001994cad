"""Tables of numbers as text, and their exact integer codes; refuses ragged, short, non-finite and rounded ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import RecordingError

__all__ = ["integer_codes", "read_table"]

# Publishers part columns by spaces, tabs, commas or semicolons. A decimal comma becomes a column too many: refused.
_SEPARATORS = str.maketrans(",;\t", "   ")
# A printed decimal times its power of ten is a whole number but for rounding in float64 (1e-8 at 9e7).
_WHOLE = 1e-3


def read_table(path: Path, *, columns: int, rows: int | None = None, header: bool = False) -> NDArray[np.float64]:
    """Read a table of numbers.

    Parameters
    ----------
    path : Path
        Columns parted by spaces, tabs, commas or semicolons; decimal points.
    columns : int
        How many are wanted.
    rows : int, optional
        How many are wanted; any number from 1 without it.
    header : bool, optional
        Whether a first line of names is passed over.

    Returns
    -------
    ndarray of float64, shape (rows, columns)
        Finite.

    Raises
    ------
    RecordingError
        If the file is no such table; the message names file and line.
    """
    lines = _lines(path, header=header)
    try:
        table = np.loadtxt(lines, dtype=np.float64, ndmin=2, comments=None)
    except ValueError as error:
        raise RecordingError(_first_fault(path, lines, columns)) from error
    if table.shape[1] != columns or not np.isfinite(table).all():
        raise RecordingError(_first_fault(path, lines, columns))
    if rows is not None and len(table) != rows:
        raise RecordingError(f"{path} has {len(table)} rows; {rows} are wanted, fetch the file again")
    return table


def integer_codes(values: NDArray[np.float64], *, per_unit: int, path: Path) -> NDArray[np.int64]:
    """Give the whole multiples of a decimal step that printed values are.

    Parameters
    ----------
    values : ndarray
    per_unit : int
        Steps in one unit: 1000 for three decimals.
    path : Path
        Where the values are from, for the message.

    Raises
    ------
    RecordingError
        If a value has more decimals, or its code does not fit 32 bits.

    Examples
    --------
    >>> integer_codes(np.array([0.552, -0.146]), per_unit=1000, path=Path("acc_00001.csv")).tolist()
    [552, -146]
    """
    scaled = values * per_unit
    codes = np.rint(scaled)
    off = np.abs(scaled - codes) > _WHOLE
    if off.any():
        raise RecordingError(f"{path} holds {values[off][0]:.12g}; whole multiples of {1 / per_unit:g} are wanted")
    if np.abs(codes).max() > np.iinfo(np.int32).max:
        raise RecordingError(f"{path} holds {np.abs(values).max():.12g}, which is too large to be a measured value")
    whole: NDArray[Any] = codes.astype(np.int64)
    return whole


def _lines(path: Path, *, header: bool) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path} cannot be read as text ({error}); fetch the file again") from error
    lines = [line for line in text.translate(_SEPARATORS).splitlines() if line.strip()]
    if header and lines and not _is_number(lines[0].split()[0]):
        lines = lines[1:]
    if not lines:
        raise RecordingError(f"{path} is empty; a table of numbers is wanted")
    return lines


def _first_fault(path: Path, lines: list[str], columns: int) -> str:
    """Say what is wrong with the first bad line; called only where one is."""
    for number, line in enumerate(lines, start=1):
        cells = line.split()
        if len(cells) != columns:
            return f"{path}, row {number} has {len(cells)} columns; {columns} are wanted"
        for cell in cells:
            if not _is_number(cell) or not np.isfinite(float(cell)):
                return f"{path}, row {number} holds {cell!r}; finite numbers are wanted"
    return f"{path} cannot be read as a table of {columns} columns; fetch the file again"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
