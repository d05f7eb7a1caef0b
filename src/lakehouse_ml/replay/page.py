"""The page that compares the policies: one self-contained file."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.resources import files as package_files
from pathlib import Path
from string import Template

import yaml

from lakehouse_ml.pipelines.monitoring.page import (
    Column,
    Head,
    Html,
    State,
    drawn,
    pill,
    safe,
    table,
    tile,
    whole_page,
)
from lakehouse_ml.replay import plots
from lakehouse_ml.replay.comparison import Comparison
from lakehouse_ml.replay.figures import (
    DIFFERENCE_HEADINGS,
    FATE_HEADINGS,
    HEADINGS,
    STEP_HEADINGS,
    difference_rows,
    fate_rows,
    policy_rows,
    step_rows,
)
from lakehouse_ml.replay.verdict import verdict
from lakehouse_ml.replay.world import DATA, World

PAGE = "replay.html"
_FOOTER = Html("Drawn again by <code>kedro replay</code> with the same options. Times are UTC.")
_STATES: dict[str, State] = {"promoted": "ok", "refused": "critical", "awaiting_approval": "warning"}


def write_page(world: World, comparison: Comparison, use_case: str) -> Path:
    """The page's path."""
    path = world.reporting / PAGE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(comparison, use_case, trials_of(world), data_seconds(world, comparison.nows)))
    return path


def data_seconds(world: World, nows: Sequence[datetime]) -> list[float]:
    """What each step of the data part took after the first one, wall clock."""
    return [step.seconds for step in world.done(DATA).all()[1:] if step.as_of in nows]


def trials_of(world: World) -> str:
    """Trials of each search, in words."""
    parameters = yaml.safe_load((world.conf / "never" / "parameters.yml").read_text())
    return ", ".join(f"{role} {count}" for role, count in parameters["training"]["tuning"]["trials"].items())


def render_page(comparison: Comparison, use_case: str, trials: str, data_seconds: Sequence[float]) -> str:
    """The page as HTML, with everything that it needs inside.

    Args:
        comparison: What is shown.
        use_case: Name of the use case.
        trials: Of each search, in words.
        data_seconds: What the steps of the data part took after the first one.
    """
    first, last = comparison.nows[0], comparison.nows[-1]
    head = Head(
        title=f"{use_case} · replay",
        subtitle=f"{first:%Y-%m-%d} to {last:%Y-%m-%d} UTC in {len(comparison.nows) - 1} steps",
        state="info",
        verdict=verdict(comparison),
        tiles=_tiles(comparison),
    )
    sections = Template(package_files(__package__).joinpath(PAGE).read_text(encoding="utf-8"))
    told = {
        "trials": safe(trials),
        "rows": f"{comparison.rows:,}",
        "shown": comparison.shown,
        "first": next(iter(comparison.stories)),
    }
    parts = {**_figures(comparison), **_tables(comparison, data_seconds)}
    body = Html(sections.substitute(parts, **told))
    return whole_page(head, body, _FOOTER)


def _figures(comparison: Comparison) -> dict[str, Html]:
    figures = {
        "metrics": plots.plot_metrics(comparison),
        "differences": plots.plot_differences(comparison),
        "trainings": plots.plot_trainings(comparison),
        "alerts": plots.plot_alerts(comparison),
        "incidents": plots.plot_incidents(comparison.fates[comparison.shown], comparison.nows[-1]),
    }
    return {name: drawn(figure, f"plot-{name}") for name, figure in figures.items()}


def _tables(comparison: Comparison, data_seconds: Sequence[float]) -> dict[str, Html]:
    totals, apart = numbers("Policy", *HEADINGS), numbers(*DIFFERENCE_HEADINGS)
    incidents = [Column(name) for name in FATE_HEADINGS]
    trained = [Column(name) for name in ("Policy", "As of", "Decision", "Version", "Why not")]
    took = [Column(name, "right" if place else "") for place, name in enumerate(STEP_HEADINGS)]
    return {
        "totals": table(totals, policy_rows(comparison), empty=""),
        "difference_table": table(apart, difference_rows(comparison), empty=""),
        "incident_table": table(incidents, fate_rows(comparison), empty="Nothing went wrong."),
        "training_table": table(trained, _trainings(comparison), empty="", style="cards"),
        "steps": table(took, step_rows(comparison, data_seconds), empty=""),
    }


def numbers(first: str, *names: str) -> list[Column]:
    """Columns of numbers after one of names."""
    return [Column(first), *(Column(name, "right") for name in names)]


def _tiles(comparison: Comparison) -> Html:
    tiles = []
    for policy in comparison.stories:
        row = comparison.overall(policy, "average_precision")
        note = f"average precision, {row['low']:.3f} to {row['high']:.3f} (95 %)"
        tiles.append(tile(policy, f"{row['value']:.4f}", note, "info"))
    return Html("".join(tiles))


def _trainings(comparison: Comparison) -> Iterator[tuple[object, ...]]:
    for policy, story in comparison.stories.items():
        for training in story.trainings:
            said = pill(training.decision.replace("_", " "), _STATES[training.decision])
            yield policy, f"{training.as_of:%Y-%m-%d}", said, training.version or "none", training.reason
