"""The command that serves the console."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from app.access.opening import demand_closed
from app.palette import BLUE, SKY
from app.settings import Settings
from features.errors import RacewayError

__all__ = ["ENTRY", "console_command"]

# Streamlit puts the script's folder on the path, so it lies alone in its own.
ENTRY = Path(__file__).parent / "entry" / "main.py"
_SERVED = ENTRY.with_name("serve.py")


def console_command(settings: Settings) -> list[str]:
    """Give the command that serves the console at the host and port of the settings.

    Raises
    ------
    RacewayError
        If Streamlit is not installed, or the console would be open to a network.
    """
    if find_spec("streamlit") is None:
        raise RacewayError("the console needs Streamlit; pip install 'raceway[console]'")
    demand_closed(settings)
    options = {
        "server.address": settings.console_host,
        "server.port": str(settings.console_port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
        # What went wrong stands in the log; a reader is told that something did.
        "client.showErrorDetails": "type",
        # Streamlit's own red would say that something is wrong wherever something is chosen.
        "theme.light.primaryColor": BLUE,
        "theme.dark.primaryColor": SKY,
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(_SERVED), *flags]
