"""What became of a model in a retraining, in words and as the rows of a table: champion beside challenger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.palette import BLUE, GREEN, GREY, ORANGE, RED

__all__ = ["OUTCOMES", "drift_words", "outcome_sign", "verdict_rows", "verdict_words"]

# What became of a model: in words, and the colour and sign it is shown with.
OUTCOMES = {
    "promoted": ("challenger serves", GREEN, "\u25b2"),
    "refused": ("challenger refused, champion serves", ORANGE, "\u25a0"),
    "unchanged": ("champion serves, nothing to do", GREY, "\u25cf"),
    "waiting": ("champion serves, not ready", GREY, "\u25cb"),
    "overtaken": ("another model serves by now", GREY, "\u25c6"),
    "failed": ("champion serves, the job failed", RED, "\u2716"),
}


def outcome_sign(outcome: str | None, *, taken_back: bool = False) -> tuple[str, str, str]:
    """Words, colour and sign of an outcome, None for one that is not decided; what was taken back since says so.

    Examples
    --------
    >>> outcome_sign("refused")[0], outcome_sign(None)[0]
    ('challenger refused, champion serves', 'under way')
    """
    if taken_back:
        return "challenger taken back, former champion serves", GREY, "\u25bd"
    return ("under way", BLUE, "\u25d4") if outcome is None else OUTCOMES[outcome]


def drift_words(drift: Mapping[str, Any]) -> str:
    """Say in a sentence how far features and scores have moved."""
    score = drift["score"]
    return (
        f"{100.0 * drift['share']:.0f} % of the features drifted. A recent score is above one of the frozen windows "
        f"with probability {score['superiority']:.2f} (0.5: no shift), its median is {score['ratio']:.2f} of theirs, "
        f"and {100.0 * score['passing']:.1f} % of the recent windows pass the champion's threshold."
    )


def verdict_rows(verdict: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Give what the gate found: name, the champion's figure and the challenger's."""
    if "kinds" in verdict:
        return list(_kinds(verdict))
    champion, challenger = verdict["champion"], verdict["challenger"]
    return [
        ("threshold", f"{champion['threshold']:.3f}", f"{challenger['threshold']:.3f}"),
        *_health(champion, challenger),
        *(
            (f"{kind}, {where}", _percent(champion[key].get(kind)), _percent(challenger[key].get(kind)))
            for key, where in (("detected", "laid over healthy windows"), ("seen", "in past alarms"))
            for kind in challenger[key]
        ),
        *((name, "", f"{cost:,}") for name, cost in verdict.get("cost", {}).items()),
    ]


def verdict_words(verdict: Mapping[str, Any]) -> str:
    """Say what the figures rest on."""
    if "kinds" in verdict:
        return (
            "Shares of the windows that are named right: those that people labelled, of machines that no network "
            "learns from, as the mean over machines; and simulated ones."
        )
    return f"Thresholds stand for a false-alarm rate of {verdict['rate']:g} a window."


def _kinds(verdict: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    nobody: Mapping[str, Mapping[str, float]] = {"labelled": {}, "simulated": {}}
    champion, challenger = verdict["kinds"]["champion"] or nobody, verdict["kinds"]["challenger"]
    for kind, share in challenger["labelled"].items():
        count = f"{verdict['windows'][kind]} windows, {verdict['machines'][kind]} machines"
        yield f"{kind}, labelled ({count})", _percent(champion["labelled"].get(kind)), _percent(share)
    for kind, share in challenger["simulated"].items():
        yield f"{kind}, simulated", _percent(champion["simulated"].get(kind)), _percent(share)


def _health(champion: Mapping[str, Any], challenger: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for which in ("frozen", "recent"):
        yield f"{which} healthy windows above it", _share(champion[which]), _share(challenger[which])
    if challenger.get("rejected"):
        yield "windows of rejected alarms above it", _share(champion.get("rejected")), _share(challenger["rejected"])
    yield "alarms raised by healthy windows", str(champion["alarms"]), str(challenger["alarms"])
    for rate, share in challenger["calibration"].items():
        name = f"recent windows above the level that stands for {100.0 * float(rate):g} %"
        yield name, _share(champion["calibration"].get(rate)), _share(share)


def _share(share: Mapping[str, Any] | None) -> str:
    return "not known" if share is None else f"{share['passed']} of {share['windows']}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100.0 * value:.0f} %"
