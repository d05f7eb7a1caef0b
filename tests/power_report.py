"""The study as a table, a page and a picture."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from rich.table import Table

from power_damage import DAMAGES
from power_rates import LEAST_POWER, MOST_FALSE, Rate, Study

HEADERS = (
    "what happened",
    "noticed within four weeks",
    "median days",
    "rules that fired (share of the episodes)",
)
BLUE, RED, MUTED = "#2563eb", "#dc2626", "#6b7280"


def lines(found: Study) -> Iterator[tuple[str, str, str, str]]:
    """The table's rows."""
    for damage in DAMAGES:
        power = found.powers[damage.name]
        rules = ", ".join(f"{rule} {share:.0%}" for rule, share in power.rules)
        yield damage.name, str(power.power), f"{power.days:.0f}", rules or "none"
    by_rule = ", ".join(f"{rule} {rate}" for rule, rate in found.by_rule.items())
    yield "nothing (false alarms a quarter)", str(found.false_alarms), "", by_rule or "none"


def as_table(found: Study) -> Table:
    """For the terminal."""
    table = Table(*HEADERS, title=told(found))
    for line in lines(found):
        table.add_row(*line)
    return table


def told(found: Study) -> str:
    """What the numbers rest on."""
    weeks, alarms = found.real_weeks
    return (
        f"{found.models} models, watched on {weeks} real weeks between {found.days[0]} and {found.days[1]}; "
        f"{alarms} of these weeks as they were had an alarm"
    )


def write_page(found: Study, role: str, commit: str, docs: Path) -> None:
    """``power.md`` and ``pictures/power.png``.

    Args:
        found: What came out.
        role: The champion's, which is that of all models watched.
        commit: The code that measured, in words.
        docs: Where they go.
    """
    words = "\n".join(f"- **{damage.name}**: {damage.words}." for damage in DAMAGES)
    rows = "\n".join("| " + " | ".join(line) + " |" for line in lines(found))
    head = "| " + " | ".join(HEADERS) + " |\n|" + "---|" * len(HEADERS)
    page = (Path(__file__).parent / "power.md").read_text()
    values = {"told": told(found), "role": role, "commit": commit, "damages": words}
    for name, value in {**values, "table": f"{head}\n{rows}"}.items():
        page = page.replace(f"{{{name}}}", value)
    (docs / "power.md").write_text(page)
    draw(found, docs / "pictures" / "power.png")


def draw(found: Study, path: Path) -> None:
    """Power by damage and false alarms by rule, with intervals, against what is asked."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.2), width_ratios=(3, 2))
    powers = {damage.name: found.powers[damage.name] for damage in DAMAGES}
    bars(left, {f"{name} ({p.days:.0f} d)": p.power for name, p in powers.items()}, BLUE, LEAST_POWER)
    left.set_title("Noticed within four weeks (median days to the alarm)", loc="left", fontsize=10)
    left.set_xlim(0, 1.02)
    bars(right, {"any rule": found.false_alarms, **found.by_rule}, RED, MOST_FALSE)
    right.set_title("Quarters with a false alarm (dashed: what is asked)", loc="left", fontsize=10)
    right.set_xlim(0, max(0.2, 1.05 * found.false_alarms.high))
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def bars(axes, rates: dict[str, Rate], colour: str, limit: float) -> None:
    """One bar per name with its interval, and what is asked."""
    names, values = list(rates)[::-1], list(rates.values())[::-1]
    spread = [
        [r.value - min(r.low, r.value) for r in values],
        [max(r.high, r.value) - r.value for r in values],
    ]
    axes.barh(
        names, [r.value for r in values], xerr=spread, color=colour, alpha=0.75, ecolor=MUTED, capsize=3
    )
    axes.axvline(limit, color=MUTED, linestyle="--", linewidth=1)
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
    axes.xaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0, decimals=0))
    axes.spines[["top", "right"]].set_visible(False)
