"""The page of features and analyses, rendered from their lists; refuses nothing."""

from __future__ import annotations

from features.analyses import ANALYSES, Analysis
from features.contract import BASELINE, FULL, NODE, REGISTRY, WATCHED, Feature
from features.extraction import SHORTEST
from features.signals import CONSTANTS

__all__ = ["render_catalogue"]

_HEAD = f"""# Features

Rendered by `raceway features page` from the lists in `features/contract.py` and `features/analyses.py`.

A unit of `x` is that of the samples (g, m/s2 or mm/s), `1` none. Extraction (`features/extraction.py`) takes windows of
a multiple of 16 samples from {SHORTEST} on and refuses NaN, infinities and samples beyond 1e9; silence, constants,
clipped and coarse windows have defined, finite values. Columns of the first table: **needs**, what has to be known
beside the samples; **gain**, the power of a gain on the samples that the value follows; **offset**, what a constant
added to all samples does; **node**, whether the C front end of a node computes it too. Tests are made from them.
"""

_ANALYSES_HEAD = """## Analyses on demand

Too long or too dear for every window, or of a whole run. Each is a function; **gain** is empty where the values follow
none (logarithms, decisions). `raceway features list --profile analyses` prints them.
"""


def render_catalogue() -> str:
    """Render the page.

    Returns
    -------
    str
        Markdown.
    """
    parts = [_HEAD, _profiles(), "## Features\n"]
    parts += [
        "| name | unit | definition | source | needs | gain | offset | node |",
        "| - | - | - | - | - | - | - | - |",
    ]
    parts += [_feature(feature) for feature in REGISTRY]
    parts += ["", _constants(), _ANALYSES_HEAD, "| name | unit | definition | source | function | gain |"]
    parts += ["| - | - | - | - | - | - |", *(_analysis(analysis) for analysis in ANALYSES)]
    return "\n".join(parts) + "\n"


def _profiles() -> str:
    rows = [
        (FULL, "all of them: speed and bearing known"),
        (FULL.knowing("speed"), "speed known"),
        (BASELINE, "what every point has"),
        (WATCHED, "of these what is learned as healthy: no place of a largest line, which jumps"),
        (NODE, "what a node computes"),
    ]
    lines = ["## Profiles\n", "| profile | features | hash | what it is |", "| - | -: | - | - |"]
    lines += [f"| `{p.name}` | {len(p.features)} | `{p.hash}` | {what} |" for p, what in rows]
    return "\n".join([*lines, ""])


def _constants() -> str:
    listed = ", ".join(f"`{name}` {value}" for name, value in CONSTANTS.items())
    return f"Constants that the definitions rest on, part of each hash: {listed}.\n"


def _feature(feature: Feature) -> str:
    laws = feature.laws
    cells = (f"`{feature.name}`", feature.unit, feature.definition, feature.source, ", ".join(feature.needs))
    return _row(*cells, str(laws.growth), laws.offset, "yes" if feature.node else "")


def _analysis(analysis: Analysis) -> str:
    gain = "" if analysis.growth is None else str(analysis.growth)
    cells = (f"`{analysis.name}`", analysis.unit, analysis.definition, analysis.source)
    return _row(*cells, f"`{analysis.path}`", gain)


def _header(*names: str) -> list[str]:
    return [_row(*names), _row(*("-" for _ in names))]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
