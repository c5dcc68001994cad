"""The page of systems and the data sets they learn from, rendered from the registry; refuses nothing."""

from __future__ import annotations

from models.systems.registry import FAMILIES, slug
from models.systems.trainable import Division, Entry, Family

__all__ = ["render_models"]

_HEAD = """# Models

Rendered by `raceway train page` from `models/systems/registry.py`. `docs/RESULTS.md` has the figures of the systems
that were compared.

## Training a system

`raceway train SYSTEM DATASET` reads the packs of a data set (`docs/DATA.md`), learns, measures itself on what it did
not learn from, and keeps what was learned in a folder:

    raceway train random-forest cwru
    raceway train zhang-2018 cwru --fold 0.007 --output zhang
    raceway train chen-2017 gearbox --all
    raceway train ours cmapss --subset FD003 --protocol publisher --json
    raceway train ours femto --fold Bearing2_1

**Held out.** The default keeps a part for the figure, and the figure is of exactly the system that is kept: on cwru
one fault size, so that no damaged bearing is on both sides; on gearbox one load; on cmapss a fifth of the
run-to-failure units; on femto one bearing. `--protocol` and `--fold` choose another part; protocols with one physical
part on both sides say so, and their figures flatter. The figure of one fold and one seed is no comparison: `raceway
evaluate` runs all folds. `--all` learns from everything and gives no figure.

**Kept.** The folder is written under a temporary name, asked the same again, and then renamed. `manifest.json` says
system, data set, split, seed, classes, feature contract, figures, versions and the digest of each file. Keras
networks are `network-0.keras` and so on, arrays `arrays.npz`; `state.pickle` says how they hang together. Where a
system is one network, `model.tflite` and `model-int8.tflite` stand beside it for gateways and nodes; their inputs are
what `learned.inputs` makes of measurements. Quantiles of an int8 network may cross by a step: sort them.

**Loaded.** `load_system` gives an object that predicts as the one that was kept:

```python
from pathlib import Path

from models.systems.folder import load_system

system = load_system(Path("zhang"))
system.predict(windows)  # of models.bearing.windows.BearingWindows
```

It refuses a folder of which a file was changed, a front that measures otherwise than it did, another feature
contract, and another minor version of scikit-learn. A pickle can name any function; the reader builds classes of a
list alone (`models/systems/state.py`) and reads `.keras` files in their safe mode, so that no code of the folder's is
run. Lists can have holes, and the digests find damage, not forgery (whoever can write the folder can write its
manifest): load folders of people you trust. What was loaded does not learn again.

`raceway diagnose RECORDING --system FOLDER` lets a system of cwru name the windows of a recording.
"""


def render_models() -> str:
    """Render the page.

    Returns
    -------
    str
        Markdown.
    """
    return "\n".join([_HEAD, *(_family(family) for family in FAMILIES)])


def _family(family: Family) -> str:
    parts = f" Its parts {', '.join(family.parts)} are learned each for itself." if family.parts else ""
    lines = [f"## {family.data_set}", "", f"Says: {family.task}.{parts}", ""]
    lines += ["| system | source | published figure | command |", "| - | - | - | - |"]
    lines += [_entry(family, entry) for entry in family.entries()]
    lines += ["", "| protocol | held out by default | damaged part on both sides | what |", "| - | - | - | - |"]
    return "\n".join([*lines, *(_division(division) for division in family.divisions), ""])


def _entry(family: Family, entry: Entry) -> str:
    source = entry.source or ("ours" if entry.name.startswith("ours") else "baseline")
    return f"| {entry.name} | {source} | {entry.published} | `raceway train {slug(entry.name)} {family.data_set}` |"


def _division(division: Division) -> str:
    leaky = "yes: the figure flatters" if division.leaky else "no"
    return f"| `{division.name}` | {division.fold} | {leaky} | {division.what} |"
