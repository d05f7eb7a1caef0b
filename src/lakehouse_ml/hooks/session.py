"""One run at a time, with parameters that something reads, on one Spark session."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from filelock import FileLock, Timeout
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines, settings

from lakehouse_ml.conf_source import check_environment
from lakehouse_ml.datasets.session import configure_spark, get_spark

# Read by configuration and by commands, not by a node.
READ_ELSEWHERE = {"job_run_id", "mlflow_run_id", "retrain_job_id", "run_id", "serving"}


class RunLockedError(RuntimeError):
    """Another run is at work in the environment."""


class UnknownParameterError(ValueError):
    """A parameter that nothing reads; the message offers the nearest names."""


def refuse_unknown_parameters(given: Mapping[str, Any], read: Iterable[str]) -> None:
    """Make sure that every parameter is read by some node, down to the depth of what nodes read.

    Args:
        given: The parameters, those of ``--params`` included.
        read: Inputs of all registered nodes, e.g. ``params:training.tuning``.

    Raises:
        UnknownParameterError: Naming the first that nothing reads.
    """
    known = {name.removeprefix("params:") for name in read if name.startswith("params:")}
    mine = {name: value for name, value in given.items() if name not in READ_ELSEWHERE}
    for name in sorted(_unread(mine, known)):
        # By its last part: names below the same one are all alike at their beginning.
        siblings = {other.rpartition(".")[2]: other for other in sorted(_cut(known, name))}
        near = difflib.get_close_matches(name.rpartition(".")[2], siblings, n=1)
        hint = f"did you mean {siblings[near[0]]}?" if near else f"known are {', '.join(siblings.values())}"
        raise UnknownParameterError(f"parameter {name}: nothing reads it; {hint}")


def _unread(given: Mapping[str, Any], known: Collection[str], above: str = "") -> Iterator[str]:
    """Dotted names of what no node reads: neither itself, nor a part of it, nor as a part of something."""
    for name, value in given.items():
        path = f"{above}{name}"
        if path in known:
            continue
        if path not in _cut(known, path):
            yield path
        elif isinstance(value, Mapping):
            yield from _unread(value, known, f"{path}.")


def _cut(known: Collection[str], name: str) -> set[str]:
    """What is known beside a dotted name, as deep as that."""
    above, _, _ = name.rpartition(".")
    beside = (other.split(".") for other in known if not above or other.startswith(f"{above}."))
    return {".".join(parts[: name.count(".") + 1]) for parts in beside}


class SessionHooks:
    """One writer per environment, and its Spark session; other commands than runs need neither."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Tell how Spark is to be started, should anything need it; a notebook reads tables without a run.

        Before anything else is read of the configuration: an unknown environment would get base's values.

        Raises:
            ConfSourceError: There is no such environment.
        """
        self._context = context
        loader = context.config_loader
        default = settings.CONFIG_LOADER_ARGS["default_run_env"]
        check_environment(Path(loader.conf_source), loader.env or default)
        configure_spark(spark_settings(loader))

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Check the parameters, take the environment's lock, start Spark.

        Spark that is running already, e.g. a notebook's, keeps its settings.

        Raises:
            RunLockedError: Another run holds the lock.
            UnknownParameterError: A parameter that nothing reads.
        """
        inputs = [name for pipeline in pipelines.values() for name in pipeline.inputs()]
        refuse_unknown_parameters(self._context.params, inputs)
        self._lock = take_lock(lock_folder(self._context.config_loader["globals"]))
        configure_spark(spark_settings(self._context.config_loader, run_params["pipeline_names"] or ()))
        get_spark()

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """Give the lock back."""
        self._lock.release()

    @hook_impl(trylast=True)
    def on_pipeline_error(self) -> None:
        """Give the lock back."""
        if hasattr(self, "_lock"):
            self._lock.release()


def spark_settings(conf: Mapping[str, Any], pipeline_names: Iterable[str] = ()) -> dict[str, str]:
    """How Spark is to be started: ``spark.yml``, and what the pipelines want besides; nothing on a platform.

    Args:
        conf: The configuration by kind.
        pipeline_names: What is run.
    """
    if conf["globals"]["platform"] != "local":
        return {}
    wanted = dict(conf["spark"])
    for name in pipeline_names:
        wanted |= conf["pipeline_sessions"].get(name, {})
    return {key: str(value) for key, value in wanted.items() if value is not None}


def lock_folder(values: Mapping[str, Any]) -> Path:
    """Where an environment's lock lies, by its globals: beside its tables.

    A Volume knows no locks. There the lock keeps apart what one machine runs, and ``max_concurrent_runs: 1`` the rest.
    """
    is_local = values["platform"] == "local"
    root = Path(values["storage_root"]) if is_local else Path(gettempdir()) / "lakehouse_ml"
    return root / str(values["catalog"])


def take_lock(folder: Path) -> FileLock:
    """The lock of an environment's tables; the system frees it when its process dies.

    Who holds it can take it again, e.g. a command for the run that it starts; it is free when all is given back.

    Raises:
        RunLockedError: Another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.absolute() / ".lock", is_singleton=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunLockedError(
            f"Another run is at work in environment {folder.name} and holds {lock.lock_file}: wait until it ends, or "
            f"stop it; a dead run holds nothing"
        ) from None
    return lock
