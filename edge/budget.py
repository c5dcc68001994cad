"""What a compiled model may cost on a node; refuses a run that costs more and says by how much it passes each limit."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edge.emulator.running import M4Run
from features.errors import ArtifactError, BudgetError, ParameterError

__all__ = ["BUDGET_FILE", "Budget", "Excess", "Limits", "ModelBudgetError", "check_budget", "read_budget"]

BUDGET_FILE = Path(__file__).with_name("budget.toml")
_DEFAULT = "default"


@dataclass(frozen=True)
class Limits:
    """The most that a model may take.

    Attributes
    ----------
    flash_bytes : int
        Code, constants and initial values, with the pieces of libc that they pull in.
    ram_bytes : int
        Arena and variables.
    stack_bytes : int
        Below the stack of the caller.
    cycles : int
        Of one inference, by the model in `edge.emulator.cycles`.
    """

    flash_bytes: int
    ram_bytes: int
    stack_bytes: int
    cycles: int


@dataclass(frozen=True)
class Budget:
    """Limits of compiled models.

    Attributes
    ----------
    default : Limits
        Of a model without limits of its own.
    named : mapping of str to Limits
        By the model's name.
    """

    default: Limits
    named: Mapping[str, Limits]

    def limits_of(self, name: str) -> Limits:
        """Those of a model, or the default.

        Examples
        --------
        >>> small, large = Limits(10, 10, 10, 10), Limits(90, 10, 10, 10)
        >>> budget = Budget(small, {"m1": large})
        >>> budget.limits_of("m1").flash_bytes, budget.limits_of("m2").flash_bytes
        (90, 10)
        """
        return self.named.get(name, self.default)


@dataclass(frozen=True)
class Excess:
    """A limit that was passed: of what, how far a run went, and how far it might have gone."""

    resource: str
    reached: int
    allowed: int


class ModelBudgetError(BudgetError):
    """A compiled model costs more than it may.

    Attributes
    ----------
    model : str
        Its name.
    excesses : tuple of Excess
        Every limit that it passes; `resource`, `reached` and `allowed` are of the one that it passes furthest.
    """

    def __init__(self, model: str, excesses: tuple[Excess, ...]) -> None:
        worst = max(excesses, key=lambda excess: excess.reached / excess.allowed)
        super().__init__(worst.resource, reached=worst.reached, allowed=worst.allowed)
        self.model = model
        self.excesses = excesses
        passed = ", ".join(
            f"{e.reached:,} {e.resource} ({e.reached - e.allowed:,} above the {e.allowed:,} allowed)" for e in excesses
        )
        self.args = (
            f"the model {model} exceeds its budget with {passed}; prune it or choose a smaller network, or give it "
            f"limits of its own in [models.{model}] of the budget file",
        )


def read_budget(path: Path = BUDGET_FILE) -> Budget:
    """Read the limits of compiled models.

    Parameters
    ----------
    path : Path
        TOML; `[models.default]` has every limit, `[models.NAME]` those in which a model differs. Tables beside
        `models` are of others.

    Returns
    -------
    Budget

    Raises
    ------
    ArtifactError
        If the file cannot be read, the default lacks a limit, or a limit is unknown or no positive integer.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtifactError(f"the budget {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"the budget {path} is no TOML: {error}") from error
    models = tables.get("models")
    if not isinstance(models, dict) or _DEFAULT not in models:
        raise ArtifactError(f"the budget {path} has no table [models.{_DEFAULT}], which every other model takes")
    default = _limits(models[_DEFAULT], {}, where=f"[models.{_DEFAULT}] of {path}")
    named = {
        name: _limits(table, dataclasses.asdict(default), where=f"[models.{name}] of {path}")
        for name, table in models.items()
        if name != _DEFAULT
    }
    return Budget(default, MappingProxyType(named))


def check_budget(run: M4Run, budget: Budget, name: str) -> None:
    """Hold a run against the limits of its model.

    Parameters
    ----------
    run : M4Run
        With counts.
    budget : Budget
        From `read_budget`.
    name : str
        Of the model.

    Raises
    ------
    ModelBudgetError
        If it passes a limit; it names each, and by how much.
    ParameterError
        If nothing was counted in the run.
    """
    if not run.cycles:
        raise ParameterError("a run without counts was held against a budget of cycles; run it with count=True")
    limits = budget.limits_of(name)
    excesses = tuple(
        Excess(field.name.replace("_", " "), reached, allowed)
        for field in dataclasses.fields(Limits)
        if (reached := getattr(run, field.name)) > (allowed := getattr(limits, field.name))
    )
    if excesses:
        raise ModelBudgetError(name, excesses)


def _limits(table: Any, others: Mapping[str, int], *, where: str) -> Limits:
    if not isinstance(table, dict):
        raise ArtifactError(f"{where} is no table of limits")
    wanted = [field.name for field in dataclasses.fields(Limits)]
    unknown = sorted(set(table) - set(wanted))
    if unknown:
        raise ArtifactError(f"{where} limits {', '.join(unknown)}; {', '.join(wanted)} are known")
    wrong = [name for name, limit in table.items() if type(limit) is not int or limit < 1]
    if wrong:
        raise ArtifactError(f"{where} gives {', '.join(wrong)} no positive integer")
    whole = {**others, **table}
    missing = [name for name in wanted if name not in whole]
    if missing:
        raise ArtifactError(f"{where} lacks {', '.join(missing)}")
    return Limits(**whole)
