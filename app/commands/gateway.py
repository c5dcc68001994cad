"""Subcommand that bridges nodes to MQTT."""

from __future__ import annotations

from pathlib import Path

import click

from app.commands.context import settings_of, stop_event

__all__ = ["gateway"]


@click.command()
@click.argument("lines", nargs=-1, required=True)
@click.option("--site", default="plant", show_default=True, help="Site of the gateway and of nodes not listed.")
@click.option("--name", default="gateway", show_default=True, help="Name of the gateway; each has its own.")
@click.option("--nodes", type=click.Path(path_type=Path), help="TOML file that says at which point each node is.")
@click.pass_context
def gateway(ctx: click.Context, /, lines: tuple[str, ...], site: str, name: str, nodes: Path | None) -> None:
    """Bridge nodes on LINES to MQTT, and commands back to them (docs/LINK.md, docs/PROTOCOL.md).

    A line is serial:PATH[?baud=N], tcp:HOST:PORT or unix:PATH, dialled again when it is lost, or tcp-listen:HOST:PORT
    or unix-listen:PATH, which any number of nodes may dial. What nodes say is kept in the data folder until the broker
    has it. A node called ASSET/POINT is at that point of the site, unless the file says otherwise.
    """
    from app.gateway.bridge import GatewayConfig
    from app.gateway.lines import Address
    from app.gateway.service import read_points, run_gateway

    settings = settings_of(ctx)
    addresses = tuple(Address.parse(line) for line in lines)
    config = GatewayConfig(site, name, addresses, {} if nodes is None else read_points(nodes))
    run_gateway(settings, config, stopped=stop_event())
