"""The errors of Raceway: one root, and a child for each kind of thing that can be refused."""

from __future__ import annotations

__all__ = [
    "ArtifactError",
    "BudgetError",
    "ContractError",
    "ParameterError",
    "ProtocolError",
    "RacewayError",
    "RecordingError",
    "ToolchainError",
]


class RacewayError(Exception):
    """Anything Raceway refuses; its message says what was given, what was wanted and what to do."""


class ParameterError(RacewayError, ValueError):
    """An argument or a setting is outside what the definition admits."""


class ContractError(RacewayError):
    """Features of one contract were offered to a model of another.

    Attributes
    ----------
    given, wanted : str
        The two feature hashes.
    """

    def __init__(self, *, given: str, wanted: str) -> None:
        super().__init__(
            f"features of contract {given} were offered to a model of contract {wanted}; "
            "learn the model again from features of today's contract"
        )
        self.given = given
        self.wanted = wanted


class ProtocolError(RacewayError):
    """A message does not follow the wire protocol.

    Attributes
    ----------
    reason : str
        The short name under which quarantine counts it.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class RecordingError(RacewayError):
    """A recording is missing, damaged or lacks what is needed to read it."""


class ArtifactError(RacewayError):
    """A trained bundle is missing, damaged or of another form."""


class BudgetError(RacewayError):
    """What was asked for does not fit into what it may cost.

    Attributes
    ----------
    resource : str
        What is too much, with its unit, such as ``flash bytes``.
    reached, allowed : float
        The least that could be reached, and the budget.
    """

    def __init__(self, resource: str, *, reached: float, allowed: float) -> None:
        super().__init__(
            f"{reached:,.0f} {resource} is the least that was reached, {reached - allowed:,.0f} above the budget of "
            f"{allowed:,.0f}; raise the budget or choose a smaller network"
        )
        self.resource = resource
        self.reached = reached
        self.allowed = allowed


class ToolchainError(RacewayError):
    """A compiler, an emulator or a library that the work on nodes needs is not installed, or does not do its work.

    Attributes
    ----------
    tool : str
        The command or file.
    """

    def __init__(self, message: str, *, tool: str) -> None:
        super().__init__(message)
        self.tool = tool
