"""What the proof of the job runs, in order: as on a first deployment."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

DAILY, RETRAIN, MAINTENANCE, ASKING = 550315892394120, 550315892394300, 550315892394400, 550315892394500
APPROVAL = {"version": "1", "by": "Ada", "note": "card read, slices too"}


class Step(NamedTuple):
    """Tasks of a job that run one after another.

    Attributes:
        job: The job's name in the bundle.
        run_id: Number of its run; steps with the same one are parts of one run.
        tasks: Which of its tasks.
        given: Parameters that differ from the job's defaults.
    """

    job: str
    run_id: int
    tasks: tuple[str, ...]
    given: Mapping[str, str] = MappingProxyType({})


# As on a first deployment: there is no champion before the first training.
STORY = (
    Step("daily", DAILY, ("ingestion", "feature_engineering")),
    Step("retrain", RETRAIN, ("training", "evaluation", "promote")),
    Step("maintenance", MAINTENANCE, ("maintenance",)),
    Step("daily", DAILY, ("inference", "monitoring", "endpoint")),
)
# Where a person has the last word, the first version awaits it.
APPROVED = Step("approve", ASKING - 1, ("approve",), APPROVAL)
# What a person may ask for, and the answer once the first model is champion: none was before it.
ASKED = (
    ("approve", APPROVAL, "Version 1 awaits no approval"),
    ("rollback", {"reason": "too many misses, at night", "by": "Ada"}, "No version was champion before"),
)


def story_of(is_approved: bool) -> tuple[Step, ...]:
    """What runs, in order.

    Args:
        is_approved: The target's gate demands a person's approval.
    """
    return (*STORY[:2], APPROVED, *STORY[2:]) if is_approved else STORY


def parted(story: tuple[Step, ...], task: str) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The story before a task, and from it on."""
    place = next(number for number, step in enumerate(story) if task in step.tasks)
    step, at = story[place], story[place].tasks.index(task)
    before, after = step._replace(tasks=step.tasks[:at]), step._replace(tasks=step.tasks[at:])
    return (*story[:place], before), (after, *story[place + 1 :])
