"""Rolling-element bearing geometry and the fault orders that follow from it; refuses impossible bearings."""

from __future__ import annotations

import math
from dataclasses import dataclass

from features.errors import ParameterError

__all__ = ["BEARINGS", "Bearing", "FaultOrders", "bearing_named"]


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


_INCH_MM = 25.4

# 6205 and 6203: Case Western Reserve University bearing data centre. PRONOSTIA: Nectoux et al., PHM 2012.
BEARINGS = {
    bearing.name: bearing
    for bearing in (
        Bearing("6205-2RS", balls=9, ball_mm=0.3126 * _INCH_MM, pitch_mm=1.537 * _INCH_MM),
        Bearing("6203-2RS", balls=8, ball_mm=0.2656 * _INCH_MM, pitch_mm=1.122 * _INCH_MM),
        Bearing("PRONOSTIA", balls=13, ball_mm=3.5, pitch_mm=25.6),
    )
}


def bearing_named(name: str) -> Bearing:
    """Look a bearing up by its designation.

    Raises
    ------
    ParameterError
        If the library has no such bearing.
    """
    try:
        return BEARINGS[name]
    except KeyError:
        raise ParameterError(f"no bearing named {name!r}; known are {', '.join(sorted(BEARINGS))}") from None
