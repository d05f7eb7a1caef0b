"""Stands in for Auto Loader where there is none: a stream of binary files with the options that conf gives it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.types import StructType

File = tuple[str, datetime, int, bytes]


class AutoLoader(DataSource):
    """``cloudFiles`` of the format ``binaryFile``; options that it does not know are refused."""

    KNOWN = frozenset(
        {
            "path",
            "pathglobfilter",
            "cloudfiles.format",
            "cloudfiles.schemaevolutionmode",
            "cloudfiles.includeexistingfiles",
            "cloudfiles.allowoverwrites",
        }
    )

    @classmethod
    def name(cls) -> str:
        return "cloudFiles"

    def streamReader(self, schema: StructType) -> DataSourceStreamReader:
        given = {key.lower(): value for key, value in self.options.items()}
        strange = sorted(set(given) - self.KNOWN)
        if strange or given["cloudfiles.format"] != "binaryFile":
            raise ValueError(f"cloudFiles: {', '.join(strange)} {given['cloudfiles.format']}")
        if schema.names != ["path", "modificationTime", "length", "content"]:
            raise ValueError(f"cloudFiles: binary files have another schema than {schema.simpleString()}")
        return _Reader(Path(given["path"].removeprefix("file:")), given["pathglobfilter"])


class _Reader(DataSourceStreamReader):
    def __init__(self, folder: Path, pattern: str) -> None:
        self.folder, self.pattern = folder, pattern

    def initialOffset(self) -> dict[str, str]:
        return {"files": ""}

    def latestOffset(self, *_: object) -> dict[str, str]:
        return {"files": "\n".join(sorted(file.name for file in self.folder.glob(self.pattern)))}

    def partitions(self, start: dict[str, str], end: dict[str, str]) -> list[InputPartition]:
        new = sorted(set(end["files"].split("\n")) - set(start["files"].split("\n")) - {""})
        # One task, since a test's files are small.
        return [InputPartition(new)] if new else []

    def read(self, partition: InputPartition) -> Iterator[File]:
        for name in partition.value:
            file = self.folder / name
            content, modified = file.read_bytes(), datetime.fromtimestamp(file.stat().st_mtime, UTC)
            yield f"dbfs:{file}", modified.replace(tzinfo=None), len(content), content
