"""Writes what the C front end takes from the feature contract: names, hash, constants, tables; refuses what it cannot.

`python -m edge.node.contract` writes the files anew. The C code follows a contract, and is written for some of its
constants; a contract that changes one of those is refused here, so that the C code is changed with it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from math import comb
from pathlib import Path

import numpy as np
import pywt

from features.contract import NODE, Feature
from features.errors import ParameterError
from features.signals import CONSTANTS, ORDERS
from features.velocity import HIGH_HZ, STANDARD_GRAVITY

__all__ = ["FRONTEND", "LARGEST_WINDOW", "SMALLEST_WINDOW", "render_contract", "render_tables", "write_generated"]

FRONTEND = Path(__file__).parents[1] / "firmware" / "frontend"
SMALLEST_WINDOW, LARGEST_WINDOW = 256, 4096
_MADE_BY = "Written by `python -m edge.node.contract`; not to be edited."
# Of the velocity that a node computes; `features.contract` gives it to its function.
_VELOCITY_LOW_HZ = 10.0
_NEEDS = {(): "RW_NEEDS_NOTHING", ("speed",): "RW_NEEDS_SPEED", ("speed", "bearing"): "RW_NEEDS_BEARING"}
# What the C code is written for, beside what it takes from the header.
_WRITTEN_FOR = {
    "octave_bands": 7,
    "wavelet": "db4",
    "wavelet_level": 4,
    "envelope_from_share_of_nyquist": 0.1,  # a band that the envelope's 15/16 of places hold
    "envelope_lines_to_share_of_nyquist": 0.25,
}
_PART = 15  # the envelope has 15/16 as many samples as its window: see rw_envelope.h


def render_contract() -> str:
    """Give `rw_feature_contract.h`: the features in order, the contract's hash, and its constants.

    Returns
    -------
    str
        C11.

    Raises
    ------
    ParameterError
        If the contract has constants that the C code is not written for.
    """
    for name, wanted in _WRITTEN_FOR.items():
        if CONSTANTS[name] != wanted:
            raise ParameterError(
                f"{name} of the contract is {CONSTANTS[name]}, the C front end is written for {wanted}; change it first"
            )
    lines = [
        "/* The features of a node, in order, and what their values depend on.",
        f" * {_MADE_BY} */",
        "#ifndef RW_FEATURE_CONTRACT_H",
        "#define RW_FEATURE_CONTRACT_H",
        "",
        "/* First 8 bytes of the SHA-256 of the contract. */",
        f"#define RW_FEATURE_HASH {{{', '.join(f'0x{byte:02x}' for byte in bytes.fromhex(NODE.hash))}}}",
        "#define RW_FEATURE_HASH_BYTES 8",
        "",
        "/* What must be known beside the samples; the bearing's lines need the speed too. */",
        *(f"#define {name} {index}" for index, name in enumerate(_NEEDS.values())),
        "",
        "/* X(identifier, name, unit, needs); x in a unit is that of the samples. */",
        _listed(NODE.features),
        "",
        "#define RW_FEATURE_ENTRY(identifier, name, unit, needs) RW_FEATURE_##identifier,",
        "enum rw_feature { RW_FEATURES(RW_FEATURE_ENTRY) RW_N_FEATURES };",
        "#undef RW_FEATURE_ENTRY",
        "",
        *_constants(),
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def render_tables() -> str:
    """Give `rw_tables.c`: sines of a quarter of a turn, and cosines and sines of fifteenths.

    Returns
    -------
    str
        C11.
    """
    quarter = LARGEST_WINDOW // 4
    sines = np.sin(2.0 * np.pi * np.arange(quarter + 1) / LARGEST_WINDOW)
    turns = np.outer(np.arange(1, 8), np.arange(1, 8)) % _PART * (2.0 * np.pi / _PART)
    return "\n".join(
        [
            f"/* Sines and cosines, rounded once. {_MADE_BY} */",
            '#include "rw_tables.h"',
            "",
            "const float rw_quarter_sine[RW_TURN / 4 + 1] = {",
            *_wrapped(map(_float, sines)),
            "};",
            "",
            "const float rw_cosine_of_fifteenths[7][7] = {",
            *(f"    {{{', '.join(map(_float, row))}}}," for row in np.cos(turns)),
            "};",
            "",
            "const float rw_sine_of_fifteenths[7][7] = {",
            *(f"    {{{', '.join(map(_float, row))}}}," for row in np.sin(turns)),
            "};",
            "",
        ]
    )


def write_generated(folder: Path = FRONTEND) -> None:
    """Write both files into a folder.

    Parameters
    ----------
    folder : Path
        That of the front end where none is given.
    """
    (folder / "rw_feature_contract.h").write_text(render_contract(), encoding="utf-8")
    (folder / "rw_tables.c").write_text(render_tables(), encoding="utf-8")


def _listed(features: Iterable[Feature]) -> str:
    rows = [f'    X({f.name.upper()}, "{f.name}", "{f.unit}", {_NEEDS[f.needs]})' for f in features]
    width = max(map(len, rows))
    return "\n".join(["#define RW_FEATURES(X) \\", *(f"{row.ljust(width)} \\" for row in rows[:-1]), rows[-1]])


def _constants() -> list[str]:
    n_orders = sum(name.startswith("order_") for name in NODE.names)
    rows = {
        "SMALLEST_WINDOW": str(SMALLEST_WINDOW),
        "LARGEST_WINDOW": str(LARGEST_WINDOW),
        "N_OCTAVES": str(CONSTANTS["octave_bands"]),
        "N_ORDERS": str(n_orders),
        "ORDERS": f"{{{', '.join(_float(order) for order in ORDERS[:n_orders])}}}",
        "N_PACKETS": str(2 ** int(CONSTANTS["wavelet_level"])),
        "PACKET_POLYNOMIAL": f"{{{', '.join(_float(value) for value in _packet_polynomial())}}}",
        "VELOCITY_LOW_HZ": _float(_VELOCITY_LOW_HZ),
        "VELOCITY_HIGH_HZ": _float(HIGH_HZ),
        "STANDARD_GRAVITY": _float(STANDARD_GRAVITY),
        "FIRST_BIN_OF_INTEGRALS": str(CONSTANTS["first_bin_of_integrals"]),
        "LEAST_REVOLUTIONS": _float(CONSTANTS["least_revolutions"]),
        "LEAST_PERIODS": _float(CONSTANTS["least_periods"]),
        "ENVELOPE_FROM_SHARE": _float(CONSTANTS["envelope_from_share_of_nyquist"]),
    }
    # As two floats each: where a line is sought must not depend on single precision.
    pairs = {"SPEED_TOLERANCE": float(CONSTANTS["speed_tolerance"]), "SLIP": float(CONSTANTS["slip"])}
    rows |= {name: f"{{{_float(value)}, {_float(value - float(np.float32(value)))}}}" for name, value in pairs.items()}
    return [f"#define RW_{name} {value}" for name, value in rows.items()]


def _packet_polynomial() -> list[int]:
    """Coefficients of P in Daubechies' squared response of the low-pass, c^N P(s) with s = sin^2(w/2) and c = 1 - s."""
    wavelet = pywt.Wavelet(str(CONSTANTS["wavelet"]))
    order = wavelet.dec_len // 2
    polynomial = [comb(order - 1 + k, k) for k in range(order)]
    angle = np.linspace(0.0, np.pi, 64)
    response = np.abs(np.exp(-1j * np.outer(angle, np.arange(wavelet.dec_len))) @ np.array(wavelet.dec_lo)) ** 2 / 2.0
    s = np.sin(0.5 * angle) ** 2
    if not np.allclose(response, (1.0 - s) ** order * np.polyval(polynomial[::-1], s), atol=1e-10):
        raise ParameterError(f"{wavelet.name} has not the squared response of a Daubechies wavelet; write another one")
    return polynomial


def _float(value: float | int | str | np.floating) -> str:
    """Shortest literal that reads as the nearest float32."""
    text = str(np.float32(value))
    return f"{text if '.' in text or 'e' in text else text + '.0'}f"


def _wrapped(values: Iterable[str], *, per_line: int = 8) -> list[str]:
    given = list(values)
    return [f"    {', '.join(given[i : i + per_line])}," for i in range(0, len(given), per_line)]


if __name__ == "__main__":
    write_generated(*map(Path, sys.argv[1:2]))
