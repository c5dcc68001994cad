"""Subcommands that show Raceway at work on a simulated plant, without waiting for months."""

from __future__ import annotations

import click

__all__ = ["demo"]


@click.group()
def demo() -> None:
    """Let a simulated plant live through months in minutes."""
