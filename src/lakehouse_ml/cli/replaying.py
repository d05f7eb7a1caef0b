"""``kedro replay``: a past played again under each retraining policy."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import click
import pandas as pd
from kedro.framework.cli.utils import env_option
from kedro.framework.project import settings
from kedro.framework.startup import ProjectMetadata
from pydantic import ValidationError

from lakehouse_ml.cli.landing import INSTANT
from lakehouse_ml.cli.opened import conf_of, told
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.flights.feed import FeedError, Incidents, feed_records, feed_span, feed_window, publish
from lakehouse_ml.flights.spine import HORIZON
from lakehouse_ml.hooks.progress import console
from lakehouse_ml.hooks.session import take_lock
from lakehouse_ml.incidents import FeedIncident, IncidentError, Poisoned, check_incidents, read_incidents
from lakehouse_ml.pipelines.ingestion.open_run import AsOfError
from lakehouse_ml.pipelines.monitoring.alerts import DriftParams, rule_names
from lakehouse_ml.pipelines.training.params import TrainingParams
from lakehouse_ml.replay.comparison import Comparison, compare_policies
from lakehouse_ml.replay.data_part import Land, play_data
from lakehouse_ml.replay.figures import difference_table, fate_table, policy_table
from lakehouse_ml.replay.page import write_page
from lakehouse_ml.replay.policies import POLICIES
from lakehouse_ml.replay.policy_part import play_policy
from lakehouse_ml.replay.reach import Reach, refuse_beyond
from lakehouse_ml.replay.steps import MINUTE, ReplayError, Step, moments
from lakehouse_ml.replay.world import DATA, World, build_world, parameters

POLICY = "What retrains: nothing, the calendar, or the retrain controller. May be given several times. Default: all."
INCIDENTS = "YAML file of what goes wrong. Default: nothing does."
HOUR = timedelta(hours=1)
MIDNIGHT = time()


class Duration(click.ParamType):
    """A length of time such as ``7d``."""

    name = "duration"

    def convert(self, value: object, param: object, ctx: object) -> timedelta:
        """The length; fails for what is none."""
        try:
            return pd.Timedelta(str(value)).to_pytimedelta()
        except ValueError:
            self.fail(f"{value!r} is no length of time; give e.g. 7d or 12h")


@click.command()
@click.option("--from", "start", type=INSTANT, required=True, metavar="TIME", help="UTC; the first training.")
@click.option(
    "--to", "end", type=INSTANT, required=True, metavar="TIME", help="UTC; whole steps are played up to it."
)
@click.option("--policy", "policies", type=click.Choice([*POLICIES]), multiple=True, help=POLICY)
@click.option("--step", type=Duration(), default="7d", show_default=True, help="Time between two runs.")
@click.option("--incidents", type=click.Path(exists=True, dir_okay=False, path_type=Path), help=INCIDENTS)
@env_option(envvar="KEDRO_ENV", help="Environment whose values hold. Default: the project's.")
@click.pass_obj
def replay(
    metadata: ProjectMetadata,
    env: str | None,
    policies: tuple[str, ...],
    incidents: Path | None,
    **times: Any,
) -> None:
    """Play a past again: the data once, each policy on it; what is done already is not done again."""
    env = env or settings.CONFIG_LOADER_ARGS["default_run_env"]
    text = incidents.read_text() if incidents else ""
    with refusals():
        start, end, step = utc(times["start"]), utc(times["end"]), times["step"]
        nows = moments(start, end, step)
        if nows[-1] < end:
            console().print(f"Playing whole steps: to {nows[-1]:%Y-%m-%d %H:%M} UTC")
        folder = replay_folder(metadata.project_path, env)
        params = parameters(metadata.project_path / settings.CONF_SOURCE, env)
        script = read_script(incidents, text, params)
        world = World(folder / replay_name(incidents, start, step), metadata.project_path)
        refuse_what_the_feed_lacks(world, nows, params)
        with alone(world):
            build_world(world, env, tuple(POLICIES), text)
            play(world, nows, policies or tuple(POLICIES), script)
            found = compare_policies(world, nows, script, USE_CASE)
    show(found)
    console().print(f"Page: {write_page(world, found, USE_CASE.name)}", soft_wrap=True)


def replay_folder(project_path: Path, env: str) -> Path:
    """Folder of an environment's replays, from its globals ``replay_root`` and ``catalog``.

    Raises:
        click.ClickException: No such environment.
    """
    values = conf_of(project_path, env)["globals"]
    return Path(project_path / values["replay_root"] / values["catalog"])


def read_script(
    file: Path | None, text: str, params: Mapping[str, Any]
) -> tuple[FeedIncident | Poisoned, ...]:
    """The incidents of a file in the order of time, which name what the use case and the monitor have.

    Raises:
        ReplayError: Naming the file and every mistake in it.
    """
    rules = rule_names(DriftParams.model_validate(params["monitoring"]["drift"]))
    try:
        script = read_incidents(text)
        check_incidents(script, USE_CASE.sources, rules)
    except IncidentError as error:
        raise ReplayError(f"{file}: {error}") from error
    return script


def replay_name(incidents: Path | None, start: datetime, step: timedelta) -> str:
    """What makes a replay another one; its end does not: it can be played on."""
    begins = f"{start:%Y-%m-%d}" if start.time() == MIDNIGHT else f"{start:%Y-%m-%dT%H%M}"
    length = f"{step // MINUTE}min" if step % HOUR else f"{step // HOUR}h"
    return f"{incidents.stem if incidents else 'calm'}-from-{begins}-step-{length}"


@contextmanager
def alone(world: World) -> Iterator[None]:
    """Nobody else plays this replay until the end."""
    lock = take_lock(world.folder)
    try:
        yield
    finally:
        lock.release()


def show(found: Comparison) -> None:
    """Print the comparison."""
    console().print(policy_table(found))
    if len(found.stories) > 1:
        console().print(difference_table(found))
    if found.incidents:
        console().print(fate_table(found))


def play(
    world: World, nows: Sequence[datetime], policies: Sequence[str], script: Sequence[FeedIncident | Poisoned]
) -> None:
    """Play the data part, then each policy on it; a line for each step on a terminal or in a log."""
    poisons = [incident for incident in script if isinstance(incident, Poisoned)]
    feed = flights_feed([incident for incident in script if not isinstance(incident, Poisoned)])
    steps = list(_shown(DATA, play_data(world, nows, feed)))
    for policy in policies:
        for _ in _shown(policy, play_policy(world, policy, steps, poisons)):
            pass


def refuse_what_the_feed_lacks(world: World, nows: Sequence[datetime], params: Mapping[str, Any]) -> None:
    """Make sure that the feed has what the steps ask of it; once all data is played, they ask nothing more.

    Raises:
        ReplayError: See :func:`refuse_beyond`.
    """
    if not all(world.done(DATA).find(now) for now in nows):
        refuse_beyond(nows, flights_reach(), TrainingParams.model_validate(params["training"]))


def flights_reach() -> Reach:
    """How far the feed of flights goes."""
    records = feed_records()
    first_asked = records["timetable"]["scheduled_departure_at"].min() - HORIZON
    return Reach(first_asked.date(), feed_span(records)[1].to_pydatetime())


def flights_feed(incidents: Sequence[FeedIncident]) -> Land:
    """The feed of flights, which goes wrong in these ways."""
    records, damage = cache(feed_records), Incidents(incidents)

    def land(folder: Path, since: datetime | None, until: datetime) -> None:
        window = feed_window(
            records(), None if since is None else pd.Timestamp(since), pd.Timestamp(until), "day"
        )
        list(publish(records(), folder, window, damage))

    return land


def _shown(name: str, steps: Iterator[Step]) -> Iterator[Step]:
    for step in steps:
        console().print(f"{name:<10} {step.as_of:%Y-%m-%d %H:%M}  {step.seconds:6.1f} s")
        yield step


def utc(at: datetime) -> datetime:
    """The moment in UTC."""
    return at.replace(tzinfo=UTC)


@contextmanager
def refusals() -> Iterator[None]:
    """What cannot be played as asked, in words."""
    with told():
        try:
            yield
        except (ReplayError, ValidationError, FeedError, AsOfError) as error:
            raise click.ClickException(str(error)) from error
