"""Subcommands for networks on nodes."""

from __future__ import annotations

import click

from app.commands.edge_bench import bench
from app.commands.edge_page import page
from app.commands.edge_run import run

__all__ = ["edge"]


@click.group()
def edge() -> None:
    """Prune, quantise, check, export, compile and run networks for Cortex-M4 nodes."""


for command in (bench, page, run):
    edge.add_command(command)
