"""What a firmware runs of packed models, read from its header `rw_model_has.h`; refuses what is no such header."""

from __future__ import annotations

import functools
import re
from collections.abc import Set
from dataclasses import dataclass

from edge.compiler.layouts import RUNTIME
from edge.compiler.step import TILES, Form
from features.errors import ArtifactError

__all__ = ["Firmware", "default_firmware", "read_firmware"]

_LIST = r"^#define {}\(X\)((?:.*\\\n)*.*)$"
_FORM = re.compile(r"X\(\s*(\d)" + r"\s*,\s*([01])" * 5 + r"\s*\)")
_KERNEL = re.compile(r"X\(\s*([a-z_]+)\s*\)")
_EXACT = re.compile(r"^#define RW_MODEL_EXACT ([01])\s*$", re.MULTILINE)
# Scales of each row take flash beside time; a clamp takes time for each row, the others once a tile.
_PER_ROW, _CLAMPED, _OTHER = 4, 3, 1


@dataclass(frozen=True)
class Firmware:
    """Kernels and forms that are linked into a firmware.

    Attributes
    ----------
    kernels : set of str
        C functions, for example `rw_add`.
    forms : set of Form
        Of the product.
    exact : bool
        Whether rows that no form holds can be computed in 32 bits.
    """

    kernels: Set[str]
    forms: Set[Form]
    exact: bool

    def form_for(self, wanted: Form) -> Form | None:
        """Choose the form that computes what another does, at the least additional cost; None where there is none.

        Examples
        --------
        >>> dense = Form(4, False, False, True, False, True)
        >>> default_firmware().form_for(dense).role
        'dense_4_pooled_per_row_clamped'
        """
        costs = ((_more(form, wanted), form.role, form) for form in self.forms)
        able = [(cost, role, form) for cost, role, form in costs if cost is not None]
        return min(able)[2] if able else None


def _more(form: Form, wanted: Form) -> int | None:
    """What a form does beyond what is wanted; None where it does less."""
    if (form.rows, form.sparse) != (wanted.rows, wanted.sparse):
        return None
    pairs = (
        (_PER_ROW, form.per_row, wanted.per_row),
        (_CLAMPED, form.clamped, wanted.clamped),
        (_OTHER, form.pooled, wanted.pooled),
        (_OTHER, not form.one_segment, not wanted.one_segment),
    )
    if any(needed and not there for _, there, needed in pairs):
        return None
    return sum(cost for cost, there, needed in pairs if there and not needed)


def read_firmware(header: str) -> Firmware:
    """Read the three macros of a firmware's header.

    Parameters
    ----------
    header : str
        C text of the form of `edge/runtime/rw_model_has.h`.

    Returns
    -------
    Firmware

    Raises
    ------
    ArtifactError
        If a macro is missing, or names a form that there is not.

    Examples
    --------
    >>> sorted(read_firmware('''
    ... #define RW_MODEL_KERNELS(X) X(convolve) X(softmax)
    ... #define RW_MODEL_FORMS(X) X(4, 0, 0, 1, 0, 0)
    ... #define RW_MODEL_EXACT 0
    ... ''').kernels)
    ['rw_convolve', 'rw_softmax']
    """
    kernels, forms = (
        re.search(_LIST.format(name), header, re.MULTILINE) for name in ("RW_MODEL_KERNELS", "RW_MODEL_FORMS")
    )
    exact = _EXACT.search(header)
    if kernels is None or forms is None or exact is None:
        raise ArtifactError(
            "RW_MODEL_KERNELS, RW_MODEL_FORMS and RW_MODEL_EXACT are wanted, as in edge/runtime/rw_model_has.h; "
            "the header given lacks one"
        )
    found = [Form(int(rows), *(flag == "1" for flag in flags)) for rows, *flags in _FORM.findall(forms[1])]
    unknown = [form.role for form in found if (form.rows, form.sparse) not in TILES]
    if unknown or len(found) != forms[1].count("X("):
        raise ArtifactError(f"forms that the product has not are named: {', '.join(unknown) or forms[1].strip()}")
    return Firmware(frozenset(f"rw_{name}" for name in _KERNEL.findall(kernels[1])), frozenset(found), exact[1] == "1")


@functools.cache
def default_firmware() -> Firmware:
    """What a firmware has that names nothing of its own.

    Examples
    --------
    >>> len(default_firmware().forms)
    20
    """
    return read_firmware((RUNTIME / "rw_model_has.h").read_text(encoding="ascii"))
