"""The page: one self-contained file that shows data, model and platform at a glance."""

from importlib.resources import files as package_files
from string import Template

import plotly.graph_objects as go

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.headline import Standing, headline_tiles, verdict
from lakehouse_ml.pipelines.monitoring.page import Head, Html, drawn, safe, whole_page
from lakehouse_ml.pipelines.monitoring.params import Params
from lakehouse_ml.pipelines.monitoring.tables import Tables

_TEMPLATE = "report.html"


class ReportParams(Params):
    """What the page says about itself.

    Attributes:
        environment: Catalog whose tables are shown.
    """

    environment: str


def report(
    standing: Standing, tables: Tables, run: Run, params: ReportParams, *figures: go.Figure, use_case: str
) -> str:
    """The page as HTML, with everything that it needs inside.

    Args:
        standing: Where things stand.
        tables: The page's tables.
        run: The run.
        params: Environment.
        *figures: Quality, drift, data flow and stages.
        use_case: Name of the use case.
    """
    names = ("quality", "drift", "flow", "stages")
    drawings = {name: drawn(figure, f"plot-{name}") for name, figure in zip(names, figures, strict=True)}
    sections = Template(package_files(__package__).joinpath(_TEMPLATE).read_text(encoding="utf-8"))
    head = Head(
        title=f"{use_case} · {params.environment}",
        subtitle=f"as of {run.as_of:%Y-%m-%d %H:%M} UTC · run {run.run_id}",
        state=standing.state,
        verdict=verdict(standing),
        tiles=headline_tiles(standing),
    )
    return whole_page(head, Html(sections.substitute(**drawings, **tables)), _footer(params.environment))


def _footer(environment: str) -> Html:
    read = ", ".join(
        f"<code>ops.{name}</code>"
        for name in (
            "quality_windows",
            "drift_metrics",
            "ingestion_log",
            "alerts",
            "retrain_decisions",
            "promotion_ledger",
            "event_log",
        )
    )
    again = f"<code>kedro run --env={safe(environment)} --pipelines monitoring</code>"
    return Html(f"Made from {read}. Drawn again by {again}. Times are UTC.")
