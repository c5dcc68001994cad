"""Steps of dense layers and convolutions: the choice of kernel, its constants, and a maximum pooling fused into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.compiler.convolution import Layer
from edge.compiler.firmware import Firmware
from edge.compiler.product import GROUP, Band, Product, encode, fits, folded_bias, grouped
from edge.compiler.step import TILES, Call, Form, Record, Step, Table
from features.errors import ArtifactError

__all__ = ["Pooling", "can_pool", "lower_layer"]

_FOUR_BYTES = 8  # struct rw_four
_INT8 = (-128, 127)
_MOST = (1 << 16) - 1


@dataclass(frozen=True)
class Pooling:
    """A maximum pooling without padding, of height and width; `out_shape` is height, width, channels after it."""

    size: tuple[int, int]
    stride: tuple[int, int]
    out_shape: tuple[int, int, int]


def lower_layer(
    layer: Layer,
    operators: tuple[str, ...],
    tensors: tuple[int, int],
    pooling: Pooling | None = None,
    *,
    firmware: Firmware | None = None,
) -> Step:
    """Choose the kernel of a layer and write its constants.

    Parameters
    ----------
    layer : Layer
        As the file has it.
    operators : tuple of str
        What is computed, for the report.
    tensors : tuple of int
        Number of what is read, and of what is written.
    pooling : Pooling or None
        Only where `can_pool`.
    firmware : Firmware or None
        Whose forms are to be used; any where it is not given.

    Returns
    -------
    Step
        Of the product kernel where it is exact, else of the plain one.

    Raises
    ------
    ArtifactError
        If a size is beyond 16 bits, or the firmware lacks a form.
    """
    try:
        product = _encoded(layer, firmware, pooled=pooling is not None)
    except ArtifactError as error:
        raise ArtifactError(
            f"{' and '.join(operators)} cannot be computed by the forms that the firmware has: {error}"
        ) from error
    if product is None:
        step = _plain(layer, operators, tensors)
    else:
        alone = Pooling((1, 1), (1, 1), layer.out_shape)
        step = _product(layer, product, operators, tensors, pooling or alone, firmware)
    _check_sizes(step)
    return step


def _check_sizes(step: Step) -> None:
    """Sizes of a kernel's struct have 16 bits."""
    records = [constant for constant in step.constants.values() if isinstance(constant, Record)]
    for fields in (fields for record in records for fields in (record.fields, *record.more)):
        for name, size in fields.items():
            if isinstance(size, int) and size > _MOST:
                raise ArtifactError(
                    f"{step.operators[0]} with {name} of {size:,} is not computed; {_MOST:,} is the most"
                )
    positions = step.constants.get("positions")
    if isinstance(positions, Table) and positions.values.max() > _MOST:
        raise ArtifactError(f"{step.operators[0]} pooled over rows that long is not computed; shorten the input")


def can_pool(layer: Layer, firmware: Firmware | None = None) -> bool:
    """Whether a maximum pooling may be fused: windows then are stretches of rows that are expanded once."""
    try:
        return _layout(layer) != "RW_WINDOWS" and _encoded(layer, firmware, pooled=True) is not None
    except ArtifactError:
        return False


def _encoded(layer: Layer, firmware: Firmware | None, *, pooled: bool) -> Product | None:
    """The layer for the product kernels, None where they do not compute it."""
    packed = fits(layer.weights, layer.bias, layer.in_zero, layer.multipliers, layer.shifts)
    if layer.dilation != (1, 1) or np.any(layer.shifts[~packed] > 0):
        return None
    if firmware is None:
        return encode(_groups(layer), packed)
    if not firmware.exact and not packed.all():
        return None
    wanted = {tile: _form(layer, tile, pooled=pooled) for tile in TILES}
    return encode(_groups(layer), packed, tiles={tile for tile in TILES if firmware.form_for(wanted[tile])})


def _groups(layer: Layer) -> NDArray[np.int8]:
    return grouped(layer.weights, each_tap=_layout(layer) == "RW_TAPS")


def _layout(layer: Layer) -> str:
    channels, kernel_width = layer.in_shape[2], layer.weights.shape[2]
    if channels > GROUP and channels % GROUP and kernel_width * layer.in_shape[1] > 1:
        return "RW_TAPS"
    starts_with_a_group = layer.stride[1] * channels % GROUP == 0 or layer.out_shape[1] == 1
    return "RW_ROWS" if starts_with_a_group else "RW_WINDOWS"


def _plain(layer: Layer, operators: tuple[str, ...], tensors: tuple[int, int]) -> Step:
    constants: dict[str, Table | Record] = {
        "weights": Table("int8_t", layer.weights.reshape(-1)),
        "bias": Table("int32_t", layer.bias),
        "multipliers": Table("int32_t", layer.multipliers),
        "shifts": Table("int8_t", layer.shifts),
    }
    fields: dict[str, int | str] = {role: f"{{{role}}}" for role in constants}
    fields |= _shapes(layer, layer.out_shape)
    fields |= _pairs("kernel_height", "kernel_width", (layer.weights.shape[1], layer.weights.shape[2]))
    fields |= _pairs("stride_height", "stride_width", layer.stride)
    fields |= _pairs("dilation_height", "dilation_width", layer.dilation)
    fields |= _pairs("pad_top", "pad_left", layer.pad)
    fields |= _pairs("in_zero", "out_zero", (layer.in_zero, layer.out_zero))
    fields |= _pairs("lowest", "highest", (layer.lowest, layer.highest))
    constants["op"] = Record("struct rw_plain_convolution", fields)
    call = Call("rw_convolve_plain", ("{op}", "{in0}", "{out}"))
    return Step(operators, tensors[:1], tensors[1], (call,), ("rw_convolve_plain.c",), constants)


def _shapes(layer: Layer, out_shape: tuple[int, int, int]) -> dict[str, int | str]:
    names = ("in_height", "in_width", "in_channels", "out_height", "out_width", "out_channels")
    return dict(zip(names, (*layer.in_shape, *out_shape), strict=True))


def _pairs(first: str, second: str, values: tuple[int, int]) -> dict[str, int | str]:
    return {first: values[0], second: values[1]}


def _product(
    layer: Layer,
    product: Product,
    operators: tuple[str, ...],
    tensors: tuple[int, int],
    pooling: Pooling,
    firmware: Firmware | None,
) -> Step:
    walk = _Walk(layer, pooling, product.groups)
    wanted = (_form(layer, (band.tile_rows, band.sparse), pooled=len(walk.positions) > 1) for band in product.bands)
    forms = tuple(form if firmware is None else firmware.form_for(form) or form for form in wanted)
    constants: dict[str, Table | Record] = {
        "positions": Table("uint16_t", walk.positions),
    }
    bias = folded_bias(_groups(layer), layer.bias, layer.in_zero)
    records = []
    for i, (band, form) in enumerate(zip(product.bands, forms, strict=True)):
        tables = _band_tables(i, band) | {f"rows{i}": Table("int32_t", _rows(layer, band, bias, form))}
        records.append(_band_fields(layer, band, form, product.groups, tables))
        constants |= tables
    constants["bands"] = Record("struct rw_band", records[0], tuple(records[1:]))
    constants["op"] = Record("struct rw_convolution", walk.fields(len(records)))
    return Step(
        operators,
        tensors[:1],
        tensors[1],
        (Call("rw_convolve", ("{op}", "{in0}", "{scratch}", "{out}")),),
        ("rw_convolve.c", "rw_expand.c", *(("rw_exact.c",) if any(band.exact for band in product.bands) else ())),
        constants,
        walk.scratch_bytes,
        tuple(form for form, band in zip(forms, product.bands, strict=True) if not band.exact),
    )


def _form(layer: Layer, tile: tuple[int, bool], *, pooled: bool) -> Form:
    """What just computes tiles of a layer."""
    clamped = (layer.lowest, layer.highest) != _INT8
    return Form(*tile, pooled, layer.weights.shape[1] == 1, layer.per_row, clamped)


def _band_tables(i: int, band: Band) -> dict[str, Table | Record]:
    parts = {"weights": band.weights, "counts": band.counts, "steps": band.steps}
    ctypes = {"weights": "uint32_t", "counts": "uint8_t", "steps": "uint8_t"}
    return {f"{part}{i}": Table(ctypes[part], v) for part, v in parts.items() if v is not None and v.size}


def _rows(layer: Layer, band: Band, bias: NDArray[np.int32], form: Form) -> NDArray[np.integer]:
    """A multiplier where there is one for all; of each tile its biases, and where each row has a scale its multipliers.

    A bias is a multiple of 256; where each row has a scale, the row's shift less one is put into its last byte.
    """
    rows, tiles = slice(band.first, band.first + band.rows), band.rows // band.tile_rows
    if band.exact:
        sums = layer.weights.reshape(len(layer.weights), -1)[rows].astype(np.int64).sum(axis=1)
        exact = [layer.bias[rows] - layer.in_zero * sums, layer.multipliers[rows], -layer.shifts[rows]]
        return np.stack(exact, axis=1).astype(np.int32).reshape(-1)
    biases = bias[rows].astype(np.int64).reshape(tiles, -1)
    if not form.per_row:
        return np.concatenate([layer.multipliers[:1], biases.reshape(-1)])
    shifts = (-layer.shifts[rows] - 1).reshape(tiles, -1)
    return np.concatenate([biases + shifts, layer.multipliers[rows].reshape(tiles, -1)], axis=1).reshape(-1)


def _band_fields(
    layer: Layer, band: Band, form: Form, groups: int, tables: dict[str, Table | Record]
) -> dict[str, int | str]:
    fields: dict[str, int | str] = {"run": "rw_exact" if band.exact else f"{{{form.role}}}"}
    fields |= {role.rstrip("0123456789"): f"{{{role}}}" for role in tables}
    if not form.per_row and not band.exact:
        fields["shift"] = -int(layer.shifts[0]) - 1
    return fields | {
        "tiles": band.rows // band.tile_rows,
        "tile_rows": band.tile_rows,
        "groups": groups,
        "offset": 2 * layer.out_zero + 1,
        "lowest": layer.lowest,
        "highest": layer.highest,
    }


@dataclass(frozen=True)
class _Walk:
    """How windows lie in the expanded rows, see `edge/runtime/rw_convolve.h`."""

    layer: Layer
    pooling: Pooling
    segment_groups: int

    @property
    def layout(self) -> str:
        return _layout(self.layer)

    @property
    def _tap_elements(self) -> int:
        """What one column of inputs takes in an expanded row."""
        channels = self.layer.in_shape[2]
        return -(-channels // GROUP) * GROUP if self.layout == "RW_TAPS" else channels

    @property
    def _column_groups(self) -> int:
        """From one column of the layer's own outputs to the next."""
        return self.layer.stride[1] * self._tap_elements // GROUP

    @property
    def rows(self) -> int:
        """Rows of inputs that one row of outputs needs."""
        return (self.pooling.size[0] - 1) * self.layer.stride[0] + int(self.layer.weights.shape[1])

    @property
    def row_groups(self) -> int:
        if self.layout == "RW_WINDOWS":
            return self.segment_groups
        last = (self.pooling.out_shape[1] - 1) * self.pooling.stride[1] + self.pooling.size[1] - 1
        return last * self._column_groups + self.segment_groups

    @property
    def positions(self) -> NDArray[np.int64]:
        """Of the windows that are pooled, in groups from the first."""
        down = np.arange(self.pooling.size[0]) * self.layer.stride[0] * self.row_groups
        right = np.arange(self.pooling.size[1]) * self._column_groups
        return (down[:, None] + right).reshape(-1)

    @property
    def scratch_bytes(self) -> int:
        return self.rows * self.row_groups * _FOUR_BYTES

    def fields(self, n_bands: int) -> dict[str, int | str]:
        layer = self.layer
        windows = self.layout == "RW_WINDOWS"
        column = layer.stride[1] * layer.in_shape[2] if windows else self.pooling.stride[1] * self._column_groups
        return {
            "bands": "{bands}",
            "positions": "{positions}",
            "n_bands": n_bands,
            "n_positions": len(self.positions),
            **_shapes(layer, self.pooling.out_shape),
            "kernel_height": layer.weights.shape[1],
            "rows": self.rows,
            "row_groups": self.row_groups,
            "row_step": self.pooling.stride[0] * layer.stride[0],
            "column_step": column,
            "pad_top": layer.pad[0],
            "pad_left": layer.pad[1],
            "layout": self.layout,
            "zero": layer.in_zero,
        }
