"""Training's record in MLflow: models, trials as child runs, and everything that tells where they come from."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import mlflow
import pandas as pd
from mlflow.entities import Metric, Param
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from lakehouse_ml.model_files import candidate_folder, model_digest
from lakehouse_ml.pipelines.training.facts import Facts
from lakehouse_ml.pipelines.training.plots import tuning_figure
from lakehouse_ml.pipelines.training.provenance import installed_packages
from lakehouse_ml.pipelines.training.split import features_of
from lakehouse_ml.pipelines.training.study import Study
from lakehouse_ml.pipelines.training.train import Fitted
from lakehouse_ml.probability_model import ProbabilityModel

_log = logging.getLogger(__name__)

EXAMPLE_ROWS = 5
# What a server needs to load and run a model.
REQUIREMENTS = ("lakehouse_ml", "mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops")
TAGS = ("run_id", "as_of", "git_commit", "git_dirty", "pins_hash", "feature_fingerprint", "label_cutoff")


def log_candidates(
    facts: Facts,
    training_rows: pd.DataFrame,
    baseline: Fitted,
    challenger: Fitted,
    baseline_study: Study,
    challenger_study: Study,
) -> dict[str, Any]:
    """Log both candidates to the job's MLflow run, and say where they are.

    Args:
        facts: ``training_facts``.
        training_rows: History and validation folds; the first rows become the input example.
        baseline: Fitted baseline.
        challenger: Fitted challenger.
        baseline_study: The search behind it.
        challenger_study: The search behind it.

    Returns:
        ``ml_candidates``: the facts, the MLflow run and, by role, where the model is and what it is like.
    """
    example = features_of(training_rows.head(EXAMPLE_ROWS))
    with _job_run() as run_id:
        _log_facts(facts)
        models = {fitted.role: _log_model(fitted, facts, example) for fitted in (baseline, challenger)}
        for study in (baseline_study, challenger_study):
            _log_trials(study, run_id)
        for fitted in (baseline, challenger):
            _warn(fitted)
        mlflow.log_figure(tuning_figure(baseline_study, challenger_study), "plots/tuning.html")
    return {**facts, "mlflow_run_id": run_id, "models": models}


@contextmanager
def _job_run() -> Iterator[str]:
    """The job's run: the one that is active, or a new one where nothing opened any."""
    active = mlflow.active_run()
    if active is not None:
        yield active.info.run_id
        return
    with mlflow.start_run() as started:
        yield started.info.run_id


def _log_facts(facts: Facts) -> None:
    mlflow.log_params(flat("training", facts["params"]) | {"random_seed": facts["seed"]})
    versions = facts["source_versions"] | facts["input_versions"]
    mlflow.set_tags({name: facts[name] for name in TAGS} | {f"version.{t}": v for t, v in versions.items()})
    mlflow.log_text("\n".join(installed_packages()), "installed_packages.txt")


def flat(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values under dotted names, e.g. ``training.tuning.days``."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        dotted = f"{name}.{key}"
        found |= flat(dotted, value) if isinstance(value, Mapping) else {dotted: value}
    return found


def _log_model(fitted: Fitted, facts: Facts, example: pd.DataFrame) -> dict[str, Any]:
    # It looks every estimator of scikit-learn up, for seconds: what neither logs nor loads a model does not wait.
    import skops.io

    logged = mlflow.sklearn.log_model(
        fitted.model,
        name=fitted.role,
        signature=signature_of(fitted.model),
        input_example=example,
        metadata=_metadata(fitted, facts),
        pip_requirements=[f"{package}=={version(package)}" for package in REQUIREMENTS],
        # Unlike a pickle, it loads only the types that are listed.
        serialization_format="skops",
        skops_trusted_types=skops.io.get_untrusted_types(data=skops.io.dumps(fitted.model)),
    )
    found = {"threshold": fitted.threshold, "rounds": fitted.rounds}
    mlflow.log_params(flat(fitted.role, {**fitted.params, **found}))
    mlflow.log_metric(f"{fitted.role}.validation_average_precision", fitted.validation)
    return {
        "uri": logged.model_uri,
        "digest": model_digest(candidate_folder(logged.model_uri)),
        **found,
        "params": dict(fitted.params),
        "train_rows": fitted.train_rows,
        "base_rate": fitted.base_rate,
        "validation_average_precision": fitted.validation,
        "warnings": list(fitted.warnings),
    }


def _warn(fitted: Fitted) -> None:
    """Say what training found odd where a person looks: in the run's log, and on its page in MLflow."""
    if fitted.warnings:
        odd = "; ".join(fitted.warnings)
        mlflow.set_tag(f"{fitted.role}.warnings", odd)
        _log.warning("%s: %s", fitted.role, odd)


def signature_of(model: ProbabilityModel) -> ModelSignature:
    """Every feature may be missing; the answer is one number per row."""
    inputs = [
        ColSpec(DataType.string if name in model.categories_ else DataType.double, name, required=False)
        for name in model.feature_names_
    ]
    return ModelSignature(Schema(inputs), Schema([ColSpec(DataType.double)]))


def _metadata(fitted: Fitted, facts: Facts) -> dict[str, Any]:
    return {
        "role": fitted.role,
        "threshold": fitted.threshold,
        "trained_from": facts["train_start"],
        "trained_until": facts["train_end"],
        "base_rate": fitted.base_rate,
        "feature_fingerprint": facts["feature_fingerprint"],
        "seed": facts["seed"],
    }


def _log_trials(study: Study, parent: str) -> None:
    """One finished child run per trial."""
    client = mlflow.MlflowClient()
    experiment = client.get_run(parent).info.experiment_id
    for trial in study.trials:
        tags = {"mlflow.parentRunId": parent, "study": study.name, "state": trial.state.name}
        child = client.create_run(experiment, tags=tags, run_name=f"{study.role}-{trial.number:02}")
        client.log_batch(
            child.info.run_id,
            params=[Param(name, str(value)) for name, value in trial.params.items()],
            metrics=[
                Metric("running_average_precision", value, timestamp=0, step=step)
                for step, value in trial.intermediate_values.items()
            ],
        )
        client.set_terminated(child.info.run_id)
