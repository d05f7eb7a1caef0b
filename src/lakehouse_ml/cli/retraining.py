"""``kedro retrain``: the training that the retrain controller asked for, once."""

from collections.abc import Callable
from functools import partial
from typing import Any

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.startup import ProjectMetadata
from kedro.io import CatalogProtocol
from kedro.runner import SequentialRunner

from lakehouse_ml.cli.opened import locked, opened
from lakehouse_ml.hooks.progress import console
from lakehouse_ml.ledger import Entry
from lakehouse_ml.pipelines.monitoring.retrain import open_request
from lakehouse_ml.pipelines.monitoring.situation import Decided, read_decisions, trainings_of


@click.command()
@env_option(envvar="KEDRO_ENV", help="Environment whose request is answered. Default: the project's.")
@click.pass_obj
def retrain(metadata: ProjectMetadata, env: str | None) -> None:
    """Train for the open request; does nothing, and says why, when there is none."""
    with opened(metadata.project_path, env) as (session, context), locked(context):
        train = partial(session.run, pipeline_names=["retrain"], runner=SequentialRunner())
        told = answer_request(context.catalog, train)
    console().print(told)


def answer_request(catalog: CatalogProtocol[Any, Any], train: Callable[[], object]) -> str:
    """Train if a request is open, and tell what came of it. The environment's lock must be held.

    Killed before its decision is in the ledger, the request is still open; after it, it never is again.

    Args:
        catalog: The environment's tables.
        train: Trains, evaluates and decides.
    """
    decisions, entries = read_decisions(catalog.load("before_ops_retrain_decisions")), _entries(catalog)
    request = open_request(decisions, trainings_of(entries))
    if request is None:
        return f"Nothing to train: {_why_not(decisions, entries)}"
    train()
    answer = _answer(request, _entries(catalog))
    if answer is None:
        return (
            f"Request {_short(request)} stays open: the ledger holds a decision on this very evidence already"
        )
    return f"Request {_short(request)} is answered: {answer}"


def _entries(catalog: CatalogProtocol[Any, Any]) -> list[Entry]:
    return list(catalog.load("promotion_ledger").state().entries)


def _why_not(decisions: tuple[Decided, ...], entries: list[Entry]) -> str:
    if not decisions:
        return "no decision on retraining yet; `kedro run --pipelines daily` makes one"
    newest = decisions[-1]
    when = f"{newest.as_of:%Y-%m-%d %H:%M} UTC"
    if newest.outcome == "requested":
        return f"request {_short(newest)} of {when} was answered: {_answer(newest, entries)}"
    if newest.outcome == "held_back":
        held = [text for text in newest.explanation if text.split(" ", 1)[0] in newest.held_back_by]
        return f"a new model is due, and held back since {when}: {'; '.join(held)}"
    return f"no new model is due since {when}: {'; '.join(newest.explanation)}"


def _answer(request: Decided, entries: list[Entry]) -> str | None:
    answers = {training.sequence for training in trainings_of(entries) if training.sequence > request.trained}
    entry = next((entry for entry in entries if entry.sequence in answers), None)
    if entry is None:
        return None
    decision = entry.decision.replace("_", " ")
    return f"row {entry.sequence} of the ledger, {decision}, as of {entry.as_of:%Y-%m-%d %H:%M} UTC"


def _short(request: Decided) -> str:
    return str(request.request_key)[:12]
