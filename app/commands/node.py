"""Subcommands for nodes in the field: keys, model images and firmware images."""

from __future__ import annotations

import click

from app.commands.node_images import image, inspect, keygen, networks, package, resign

__all__ = ["node"]


@click.group()
def node() -> None:
    """Make keys for nodes, and sign what they run."""


for command in (image, inspect, keygen, networks, package, resign):
    node.add_command(command)
