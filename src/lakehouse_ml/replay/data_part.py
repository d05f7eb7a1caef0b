"""The data part: landing files to gold, step by step, once for all policies."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from lakehouse_ml.replay.code import refuse_other_code
from lakehouse_ml.replay.steps import Step
from lakehouse_ml.replay.world import DATA, World
from lakehouse_ml.side_by_side import SideBySideRunner

# Lands the files that arrive after the first moment (None: from the beginning) and not after the second, UTC.
Land = Callable[[Path, datetime | None, datetime], None]


def play_data(world: World, nows: Sequence[datetime], land: Land) -> Iterator[Step]:
    """The steps of the data part, each once its tables are there; one that is on record is not played again.

    Args:
        world: The replay.
        nows: See :func:`moments`.
        land: The feed.

    Raises:
        ReplayError: A step is left, and this is not the code that the replay began with.
    """
    for since, as_of in zip([None, *nows], nows, strict=False):
        yield world.done(DATA).find(as_of) or _play(world, since, as_of, land)


def _play(world: World, since: datetime | None, as_of: datetime, land: Land) -> Step:
    refuse_other_code(world.folder)
    started = time.monotonic()
    land(world.landing, since, as_of)
    # Under its name a run that was killed is repaired: it keeps its row, and so do the rows that name it.
    with world.opened(DATA, as_of=as_of.isoformat(), run_id=f"{as_of:%Y%m%dT%H%M}") as (session, context):
        session.run(pipeline_names=["ingestion", "feature_engineering"], runner=SideBySideRunner())
        catalog = context.catalog
        run, versions = catalog.load("run"), catalog.load("table_versions")
    step = Step(run.run_id, run.as_of, versions, round(time.monotonic() - started, 1))
    world.done(DATA).add(step)
    return step
