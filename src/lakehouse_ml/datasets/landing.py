"""The landing folder as Kedro datasets: what has landed, and the stream of new files."""

import logging
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from pyspark.sql import DataFrame

from lakehouse_ml.datasets.session import get_spark
from lakehouse_ml.lakehouse.landing import LandedFile, LandingError, landed_files

_log = logging.getLogger(__name__)

_BINARY_FILE = "path string, modificationTime timestamp, length bigint, content binary"


class _ReadOnly:
    def save(self, data: NoReturn) -> None:
        """Refused: landing files are written by the systems upstream."""
        raise DatasetError("The landing folder is read-only for pipelines; `kedro land` plays the feed")


class LandingListing(_ReadOnly, AbstractDataset[NoReturn, list[LandedFile]]):
    """Every file of every source in the environment's landing folder, in order of its name.

    Args:
        catalog: The environment's catalog.
        folder: The environment's landing folder; a Volume on Databricks.
    """

    def __init__(self, *, catalog: str, folder: str, metadata: dict[str, Any] | None = None) -> None:
        self.catalog = catalog
        self.folder = Path(folder).absolute()
        self.metadata = metadata

    def load(self) -> list[LandedFile]:
        """The listing. Hidden files are still being written; one whose name begins with ``_`` is told in the log.

        What else is no landing file by its name is listed as misnamed, and so is a folder, with a slash at its end.

        Raises:
            LandingError: There is no landing folder, or no file's name tells a period.
        """
        if not self.folder.is_dir():
            raise LandingError(
                f"No landing folder {self.folder}: play the feed with `kedro land --env={self.catalog} "
                f"--until 2013-10-01`, or land files of your own there"
            )
        found = sorted(self.folder.glob("*/*"))
        _tell_passed_over([file for file in found if file.name.startswith("_") and file.is_file()])
        return landed_files([_listed(path) for path in found if not path.name.startswith((".", "_"))])

    def _describe(self) -> dict[str, Any]:
        return {"folder": str(self.folder)}


def _listed(path: Path) -> tuple[str, str, int]:
    if path.is_dir():
        return path.parent.name, f"{path.name}/", 0
    return path.parent.name, path.name, path.stat().st_size


def _tell_passed_over(files: list[Path]) -> None:
    if files:
        names = ", ".join(f"{file.parent.name}/{file.name}" for file in files)
        _log.warning(
            "landed and not taken, since streams pass over names with a leading _: %s; rename what holds data",
            names,
        )


class LandingFiles(_ReadOnly, AbstractDataset[NoReturn, DataFrame]):
    """The stream of a source's landing files: path, content. Checkpoints belong to the table it is saved to.

    Args:
        folder: The source's folder.
        format: Format of the stream: ``binaryFile``, or ``cloudFiles`` (Auto Loader) on Databricks.
        options: Options of the format.
        platform: See :class:`Lakehouse`.
    """

    def __init__(
        self,
        *,
        folder: str,
        format: str,
        options: dict[str, str],
        platform: str = "local",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.folder = Path(folder).absolute()
        self.format = format
        self.options = options
        self.platform = platform
        self.metadata = metadata

    def load(self) -> DataFrame:
        """The stream; nothing is read before it is saved."""
        # Where a source never landed a file there is no folder yet, and Spark streams only from one that is there. In
        # a Volume the folders are made once, by whoever may write there: the job may only read.
        if self.platform == "local":
            self.folder.mkdir(parents=True, exist_ok=True)
        stream = get_spark().readStream.format(self.format).schema(_BINARY_FILE).options(**self.options)
        return stream.load(str(self.folder))

    def _describe(self) -> dict[str, Any]:
        return {"folder": str(self.folder)}
