"""Subcommands for networks on nodes."""

from __future__ import annotations

import click

from app.commands.edge_bench import bench
from app.commands.edge_budget import budget
from app.commands.edge_export import export
from app.commands.edge_page import page
from app.commands.edge_prune import prune
from app.commands.edge_quantize import quantize
from app.commands.edge_run import run
from app.commands.edge_sizes import sizes
from app.commands.edge_verify import verify

__all__ = ["edge"]


@click.group()
def edge() -> None:
    """Prune, quantise, check, export, compile and run networks for Cortex-M4 nodes."""


for command in (bench, budget, export, page, prune, quantize, run, sizes, verify):
    edge.add_command(command)
