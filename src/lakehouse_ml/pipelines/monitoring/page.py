"""Pieces of a page: everything that comes from data is escaped here."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files as package_files
from string import Template
from typing import Literal, NamedTuple

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

State = Literal["ok", "warning", "critical", "info"]


TableStyle = Literal["", "cards"]


class Html(str):
    """Markup that is safe to put on a page as it is; any other text is escaped."""

    __slots__ = ()


class Column(NamedTuple):
    """A table's column: its heading and how its cells stand."""

    name: str
    style: Literal["", "right", "nowrap"] = ""


class Head(NamedTuple):
    """What a page says first.

    Attributes:
        title: The page's name.
        subtitle: What it is about, and when.
        state: Of the verdict.
        verdict: One sentence.
        tiles: Headline figures.
    """

    title: str
    subtitle: str
    state: State
    verdict: str
    tiles: Html


def safe(text: object) -> Html:
    """The text as markup."""
    return text if isinstance(text, Html) else Html(escape(str(text)))


def tile(name: str, value: object, note: str, state: State) -> Html:
    """A headline figure."""
    parts = {"name": name, "value": value, "note": note}
    lines = "".join(f'<div class="{part}">{safe(text)}</div>' for part, text in parts.items())
    return Html(f'<div class="tile {state}">{lines}</div>')


def pill(text: str, state: State) -> Html:
    """A word on a coloured ground."""
    return Html(f'<span class="pill {state}">{safe(text)}</span>')


def folded(summary: str, items: Iterable[object]) -> Html:
    """A list that opens on a click."""
    points = "".join(f"<li>{safe(item)}</li>" for item in items)
    return Html(f"<details><summary>{safe(summary)}</summary><ul>{points}</ul></details>")


def table(
    columns: Sequence[Column], rows: Iterable[Sequence[object]], empty: str, style: TableStyle = ""
) -> Html:
    """A table, or the words of ``empty`` when there are no rows.

    Args:
        columns: Headings.
        rows: Cells in the order of the columns.
        empty: What to say without rows.
        style: ``cards`` stacks the cells of a row on a narrow screen; any other table scrolls sideways there.
    """
    body = "".join(f"<tr>{_cells(columns, row)}</tr>" for row in rows)
    if not body:
        return Html(f'<p class="muted">{safe(empty)}</p>')
    head = "".join(f'<th class="{column.style}">{safe(column.name)}</th>' for column in columns)
    return Html(
        f'<div class="scroll"><table class="{style}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _cells(columns: Sequence[Column], row: Sequence[object]) -> str:
    return "".join(
        f'<td class="{column.style}" data-name="{safe(column.name)}">{safe(cell)}</td>'
        for column, cell in zip(columns, row, strict=True)
    )


def drawn(figure: go.Figure, name: str) -> Html:
    """The figure as a block of the page, which carries the plotting code once.

    Args:
        figure: What to draw.
        name: Identifies the block; plotly would draw a random one.
    """
    block = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=name,
        config={"displayModeBar": False, "responsive": True},
    )
    return Html(block)


def whole_page(head: Head, sections: Html, footer: Html) -> str:
    """A page as HTML, with everything that it needs inside."""
    template = Template(package_files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        plotly=get_plotlyjs(),
        title=safe(head.title),
        subtitle=safe(head.subtitle),
        state=head.state,
        verdict=safe(head.verdict),
        tiles=head.tiles,
        sections=sections,
        footer=footer,
    )
