"""The subcommand that renders the measured figures of networks on a node."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["page"]


@click.command()
@click.option(
    "--results", type=click.Path(path_type=Path), default="docs/results/edge.json", show_default=True, help="Figures."
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="Write the page here, and its plots beside the figures."
)
def page(results: Path, output: Path | None) -> None:
    """Render what networks cost on an emulated node as a page with plots."""
    from app.edge_plots import write_edge_plots
    from app.results_edge import edge_page, read_edge_results

    figures = read_edge_results(results)
    text = edge_page(figures)
    if output is None:
        click.echo(text, nl=False)
        return
    write_edge_plots(figures, results.parent)
    output.write_text(text, encoding="utf-8")
