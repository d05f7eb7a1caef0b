"""A version taken from one environment to another: the same files, judged by the other's gate on the other's data."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.ledger import LedgerState
from lakehouse_ml.model_files import RegistryError, candidate_folder, model_digest, reaching
from lakehouse_ml.registry import Registry

# Beside the models' files in the target's MLflow run.
_FOLDER = "copied"


class CopyError(RuntimeError):
    """The version cannot be judged there; the message says why."""


@dataclass(frozen=True)
class Target:
    """Where a version is taken to.

    Attributes:
        registry: Its registry and tracking store.
        run: Its newest run.
        versions: Delta version of each of its gold tables.
    """

    registry: Registry
    run: Run
    versions: Mapping[str, int]


def refuse_unpromoted(version: str, state: LedgerState) -> None:
    """Make sure that a version was promoted where it is, and was not taken back there since.

    Raises:
        CopyError: It never was champion, or is not fit to be one again.
    """
    digest = state.digest_of(version)
    if digest is None:
        known = ", ".join(sorted({str(move.champion_after) for move in state.moves})) or "none yet"
        raise CopyError(
            f"Version {version} was never promoted where it is, so nobody else takes it; champions there were: {known}"
        )
    back = state.taken_back(digest)
    if back is not None:
        raise CopyError(
            f"Version {version} was taken back where it is, by {back.actor} in row {back.sequence} of "
            f"ops.promotion_ledger, so nobody else takes it; copy the version that took its place, "
            f"{back.champion_after}, or have it evaluated and promoted there again"
        )


def hand_over(trained: Mapping[str, Any], origin: str, digest: str, target: Target) -> dict[str, Any]:
    """What training would have handed over there: the same models, and a holdout of the target's newest days.

    The holdout is as long as it was, ends at the target's now, and begins after the models' last training day. What
    they were trained on stays on record as it was, in the origin's versions; what they are judged on stands beside it.

    Args:
        trained: What training handed over for the version.
        origin: ``<catalog>.<schema>.<model> version N``.
        digest: SHA-256 over the files of that version: the one model that may be elected there.
        target: Where it is taken to.

    Raises:
        CopyError: No day lies between the models' training and the target's now.
    """
    holdout = _day(trained, "holdout_end") - _day(trained, "holdout_start")
    end = target.run.as_of.date()
    start = max(end - holdout, _day(trained, "train_end"))
    if start >= end:
        raise CopyError(
            f"{origin} was trained until {trained['train_end']}, the target's now is {end}: there is no day to judge "
            f"it on; land more days there, and run its `daily` pipelines"
        )
    return {
        **trained,
        "run_id": target.run.run_id,
        "as_of": target.run.as_of.isoformat(),
        "holdout_start": start.isoformat(),
        "holdout_end": end.isoformat(),
        "judged_versions": dict(target.versions),
        "copied_from": origin,
        "copied_digest": digest,
    }


def _day(trained: Mapping[str, Any], name: str) -> date:
    return date.fromisoformat(str(trained[name]))


def copy_files(
    handed_over: dict[str, Any], source: Registry, target: Registry, experiment: str
) -> dict[str, Any]:
    """The hand-over with its models in a new MLflow run of the target, file by file the same.

    Args:
        handed_over: See :func:`hand_over`.
        source: Where the models are.
        target: Where they are taken to.
        experiment: Name of the target's experiment.

    Raises:
        RegistryError: A store cannot be reached, or a file changed on the way.
    """
    client = MlflowClient(tracking_uri=target.tracking_uri)
    with reaching(f"{target.name} at {target.tracking_uri}"):
        found = client.get_experiment_by_name(experiment)
        tags = {"copied_from": handed_over["copied_from"], "copied_run": handed_over["mlflow_run_id"]}
        run_id = client.create_run(found.experiment_id if found else "0", tags=tags).info.run_id
    models = {
        role: {**model, "uri": _copied(role, model, source, client, run_id)}
        for role, model in handed_over["models"].items()
    }
    client.set_terminated(run_id)
    return {**handed_over, "mlflow_run_id": run_id, "models": models}


def _copied(role: str, model: Mapping[str, Any], source: Registry, client: MlflowClient, run_id: str) -> str:
    folder = candidate_folder(model["uri"], source.tracking_uri)
    with tempfile.TemporaryDirectory() as place, reaching(f"{role} of run {run_id}"):
        staged = shutil.copytree(folder, Path(place) / role)
        client.log_artifacts(run_id, str(staged), f"{_FOLDER}/{role}")
    uri = f"runs:/{run_id}/{_FOLDER}/{role}"
    digest = model_digest(candidate_folder(uri, client.tracking_uri))
    if digest != model["digest"]:
        raise RegistryError(
            f"{role}: its files have digest {digest} after the copy, before it was {model['digest']}"
        )
    return uri
