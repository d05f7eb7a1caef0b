"""Whole stages in tests: this project's conf over folders of its own, without a Kedro session."""

import gzip
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.config import OmegaConfigLoader
from kedro.framework.context.context import KedroContext
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from kedro.validation.parameter_validator import ParameterValidator
from pyspark.sql import DataFrame

from lakehouse_ml.datasets.lakehouse import Lakehouse
from lakehouse_ml.datasets.session import get_spark
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.flights.feed import Every, Mess, feed_records, feed_window, publish
from lakehouse_ml.settings import CONFIG_LOADER_ARGS
from lakehouse_ml.use_case import UseCase

CONF = Path(__file__).parent.parent / "conf"

records_of_the_year = cache(feed_records)


class Project:
    """Stages over the real conf, with every folder below one of the test's.

    Args:
        folder: Everything that is read or written lies below it.
        use_case: Given to the stages.
        **values: Globals that differ from conf's, e.g. ``contracts`` of a use case of the test's.
    """

    def __init__(self, folder: Path, use_case: UseCase = USE_CASE, **values: str) -> None:
        self.folder = folder
        self.use_case = use_case
        roots = ("landing", "storage", "reporting", "mlflow", "volumes")
        self.values = {f"{root}_root": str(folder / root) for root in roots} | values

    def run(
        self, *stages: Any, hooks: Iterable[Any] = (), params: dict[str, Any] | None = None
    ) -> DataCatalog:
        """Run stages, each a package below ``pipelines`` or a Pipeline, in one go; the catalog they ran on.

        Args:
            *stages: Packages with ``create_pipeline(use_case)``, or pipelines.
            hooks: Kedro hooks that take part; those of the project do not.
            params: Top-level parameters that differ from conf's, e.g. ``{"as_of": "2013-01-05"}``; mappings merge.
        """
        pipeline = sum((self._pipeline(stage) for stage in stages), Pipeline([]))
        manager = _create_hook_manager()
        for hook in hooks:
            manager.register(hook)
        catalog = self.catalog(pipeline, params)
        SequentialRunner().run(pipeline, catalog, manager)
        return catalog

    def catalog(self, pipeline: Pipeline | None = None, params: dict[str, Any] | None = None) -> DataCatalog:
        """A fresh catalog with conf's datasets, and with parameters typed as the pipeline's nodes ask for them."""
        loader = self.config_loader(params)
        typed = ParameterValidator({"tested": pipeline or Pipeline([])}).validate_raw_params(
            loader["parameters"]
        )
        context = KedroContext(
            project_path=self.folder,
            config_loader=loader,
            env="test",
            package_name="lakehouse_ml",
            hook_manager=_create_hook_manager(),
        )
        context._validated_params_cache = typed
        return context.catalog

    def config_loader(self, params: dict[str, Any] | None = None) -> OmegaConfigLoader:
        """Conf as in the environment ``test``, with the folders of this project."""
        loader = OmegaConfigLoader(str(CONF), env="test", runtime_params=params or {}, **CONFIG_LOADER_ARGS)
        loader["globals"] = loader["globals"] | self.values
        return loader

    def _pipeline(self, stage: Any) -> Pipeline:
        return stage if isinstance(stage, Pipeline) else stage.create_pipeline(self.use_case)

    @cached_property
    def landing(self) -> Path:
        """The landing folder."""
        return Path(self.config_loader()["catalog"]["landing_files"]["folder"])

    @cached_property
    def lakehouse(self) -> Lakehouse:
        """The tables' addresses."""
        values = self.config_loader()["globals"]
        return Lakehouse(values["catalog"], values["storage_root"], values["platform"])

    def play(
        self,
        until: str,
        start: str | None = None,
        every: Every = "day",
        mess: Mess | None = None,
        records: Mapping[str, pd.DataFrame] | None = None,
    ) -> None:
        """Land the feed of the use case's sources, as ``kedro land --from start --until until`` does.

        Args:
            until: Files that arrive until then (UTC).
            start: And after then; the feed's start by default.
            every: Files by ``day`` or ``hour``.
            mess: The damage, if any.
            records: What is played; by default the real year.
        """
        records = records_of_the_year() if records is None else records
        ends = [None if at is None else pd.Timestamp(at, tz="UTC") for at in (start, until)]
        window = feed_window(records_of_the_year(), *ends, every)
        list(publish(records, self.landing, window, mess))
        known = {source.name for source in self.use_case.sources}
        for folder in self.landing.iterdir():
            if folder.is_dir() and folder.name not in known:
                shutil.rmtree(folder)

    def land(self, file: str, *lines: str) -> Path:
        """Land a file ``<source>/<period>.jsonl.gz`` with these lines."""
        return self.land_bytes(file, gzip.compress("".join(f"{line}\n" for line in lines).encode()))

    def land_bytes(self, file: str, content: bytes) -> Path:
        """Land a file with this very content."""
        path = self.landing / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def table(self, table: str, version: int | None = None) -> DataFrame:
        """``<schema>.<table>`` as it stands, or as it stood at a Delta version."""
        named = self.lakehouse.table(table)
        if version is None:
            return get_spark().read.table(named)
        return get_spark().sql(f"SELECT * FROM {named} VERSION AS OF {version}")

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Rows of ``<schema>.<table>`` as sorted tuples, of some columns or of all."""
        frame = self.table(table)
        return sorted((tuple(row) for row in frame.select(*columns or frame.columns).collect()), key=repr)

    def content(self, table: str, *but_not: str) -> Counter[str]:
        """What two lakehouses with the same past share: rows of ``<schema>.<table>`` without underscore columns."""
        frame = self.table(table)
        names = [name for name in frame.columns if not name.startswith("_") and name not in but_not]
        return Counter(repr(tuple(row)) for row in frame.select(*names).collect())

    def versions(self, *schemas: str) -> dict[str, int]:
        """Newest Delta version by table of some schemas, or of all: what did not change made no commit."""
        found = self.lakehouse.folder.glob("*/*/_delta_log")
        tables = [".".join(log.parent.parts[-2:]) for log in found]
        return self.lakehouse.versions(
            tuple(t for t in sorted(tables) if t.split(".")[0] in schemas or not schemas)
        )
