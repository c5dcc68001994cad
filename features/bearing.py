"""Rolling-element bearings, a library of them, and the fault orders of their geometry; refuses impossible bearings."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from features.errors import ParameterError

__all__ = ["BEARINGS", "Bearing", "FaultOrders", "bearing_named", "load_bearings"]


@dataclass(frozen=True, slots=True)
class FaultOrders:
    """Fault frequencies as multiples of the shaft speed.

    Attributes
    ----------
    bpfo, bpfi, bsf, ftf : float
        Ball pass frequency of the outer and of the inner race, ball spin frequency, and fundamental train (cage)
        frequency, each in orders (multiples of shaft speed).
    """

    bpfo: float
    bpfi: float
    bsf: float
    ftf: float

    @property
    def defect(self) -> float:
        """Rolling-element defect order: a spall on a ball strikes both races, twice each spin (2 x BSF)."""
        return 2.0 * self.bsf

    def items(self) -> tuple[tuple[str, float], ...]:
        """Give the four orders with the names analysts use."""
        return (("BPFO", self.bpfo), ("BPFI", self.bpfi), ("BSF", self.bsf), ("FTF", self.ftf))


@dataclass(frozen=True, slots=True)
class Bearing:
    """Geometry of a rolling-element bearing with a fixed outer and a turning inner race.

    Parameters
    ----------
    name : str
        Designation, for people.
    balls : int
        Number of rolling elements, at least 3.
    ball_mm, pitch_mm : float
        Rolling-element and pitch diameter in millimetres, 0 < ball < pitch.
    contact_deg : float
        Contact angle in degrees, 0 <= angle < 90.
    source : str
        Where the geometry comes from; bearings that differ in nothing else are equal.

    Raises
    ------
    ParameterError
        If no such bearing can be built.

    Notes
    -----
    Kinematics without slip, e.g. Randall and Antoni, "Rolling element bearing diagnostics - a tutorial", Mech. Syst.
    Signal Process. 25 (2011) 485-520, equations 1 to 4.
    """

    name: str
    balls: int
    ball_mm: float
    pitch_mm: float
    contact_deg: float = 0.0
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.balls < 3:
            raise ParameterError(f"bearing {self.name!r} has {self.balls} balls; at least 3 are needed")
        if not 0.0 < self.ball_mm < self.pitch_mm or not math.isfinite(self.pitch_mm):
            raise ParameterError(
                f"bearing {self.name!r} has a ball of {self.ball_mm} mm on a pitch circle of {self.pitch_mm} mm; "
                "the ball must be positive and smaller than the pitch circle"
            )
        if not 0.0 <= self.contact_deg < 90.0:
            raise ParameterError(f"bearing {self.name!r} has a contact angle of {self.contact_deg} deg; give 0 to < 90")

    @property
    def orders(self) -> FaultOrders:
        """Fault orders from the geometry.

        Examples
        --------
        >>> orders = bearing_named("6205-2RS").orders
        >>> [round(x, 4) for x in (orders.bpfo, orders.bpfi, orders.ftf, orders.defect)]
        [3.5848, 5.4152, 0.3983, 4.7134]
        """
        ratio = self.ball_mm / self.pitch_mm * math.cos(math.radians(self.contact_deg))
        return FaultOrders(
            bpfo=0.5 * self.balls * (1.0 - ratio),
            bpfi=0.5 * self.balls * (1.0 + ratio),
            bsf=0.5 * self.pitch_mm / self.ball_mm * (1.0 - ratio * ratio),
            ftf=0.5 * (1.0 - ratio),
        )


def load_bearings(path: Path) -> dict[str, Bearing]:
    """Read a library of one's own and lay it over the built-in one.

    Parameters
    ----------
    path : Path
        TOML of the form of ``features/bearings.toml``: one ``[[bearing]]`` table each, with ``name``, ``balls``,
        ``ball_mm`` and ``pitch_mm``, optionally ``contact_deg`` and ``source``.

    Returns
    -------
    dict of str to Bearing
        The built-in bearings and the user's; where names agree the user's holds.

    Raises
    ------
    ParameterError
        If the file cannot be read, is no TOML, or holds an entry that is not admissible or a name twice; the message
        names file and entry.
    """
    return BEARINGS | _read(path)


def bearing_named(name: str, library: Mapping[str, Bearing] | None = None) -> Bearing:
    """Look a bearing up by its designation, in the built-in library or in one from `load_bearings`.

    Raises
    ------
    ParameterError
        If the library has no such bearing.
    """
    known = BEARINGS if library is None else library
    try:
        return known[name]
    except KeyError:
        raise ParameterError(f"no bearing named {name!r}; known are {', '.join(sorted(known))}") from None


def _read(path: Path) -> dict[str, Bearing]:
    try:
        return _bearings(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ParameterError(f"bearings cannot be read from {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"bearings in {path} are no TOML: {error}") from error
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from error


def _bearings(document: dict[str, Any]) -> dict[str, Bearing]:
    entries = document.get("bearing")
    if set(document) != {"bearing"} or not isinstance(entries, list) or not entries:
        raise ParameterError(
            f"a library holds {', '.join(map(repr, sorted(document))) or 'nothing'}; only [[bearing]] is wanted"
        )
    found: dict[str, Bearing] = {}
    for entry in entries:
        bearing = _bearing(entry)
        if bearing.name in found:
            raise ParameterError(f"bearing {bearing.name!r} stands in the library twice")
        found[bearing.name] = bearing
    return found


def _bearing(entry: Any) -> Bearing:
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name.strip():
        raise ParameterError(f"a bearing is {entry!r}; a [[bearing]] table with a name is wanted")
    unknown = sorted(set(entry) - set(_TYPES))
    if unknown:
        raise ParameterError(f"bearing {name!r} has an unknown key {unknown[0]!r}; known are {', '.join(_TYPES)}")
    missing = [key for key in ("balls", "ball_mm", "pitch_mm") if key not in entry]
    if missing:
        raise ParameterError(f"bearing {name!r} lacks {missing[0]}")
    for key, given in entry.items():
        # By type itself: a TOML boolean is an int to Python.
        if type(given) not in _TYPES[key]:
            wanted = " or ".join(kind.__name__ for kind in _TYPES[key])
            raise ParameterError(f"bearing {name!r} has {key} = {given!r}; {wanted} is wanted")
    return Bearing(**entry)


_TYPES: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "balls": (int,),
    "ball_mm": (float, int),
    "pitch_mm": (float, int),
    "contact_deg": (float, int),
    "source": (str,),
}

BEARINGS = _read(Path(__file__).with_name("bearings.toml"))
