"""Finished trials as files: one each, so that storage that cannot append will do."""

import json
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from lakehouse_ml.whole_file import write_whole

Record = dict[str, Any]


class Studies:
    """The studies in a folder: ``<folder>/<study>/<number>.json``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, study: str) -> list[Record]:
        """The records of a study, from number 0 on; none for one that was not begun.

        Raises:
            DatasetError: A number is missing between two others.
        """
        files = sorted((self.folder / study).glob("*.json"))
        numbers = [int(file.stem) for file in files]
        if numbers != list(range(len(files))):
            raise DatasetError(
                f"{self.folder / study}: holds trials {numbers}, which leaves a gap: delete the folder to start the "
                f"study afresh"
            )
        return [json.loads(file.read_text()) for file in files]

    def add(self, study: str, number: int, record: Record) -> None:
        """Keep a record: the file is there in whole or not at all."""
        write_whole(self.folder / study / f"{number:05d}.json", json.dumps(record, sort_keys=True))


class StudyFolder(AbstractDataset[NoReturn, Studies]):
    """The trials of interrupted and finished searches.

    Example:
        ``tuning_studies: {type: lakehouse_ml.datasets.StudyFolder, filepath: data/lakehouse/dev/_state/studies}``

    Args:
        filepath: Folder of the studies.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self.folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> Studies:
        """The studies, which take each trial as soon as it is finished."""
        return Studies(self.folder)

    def save(self, data: NoReturn) -> None:
        """Refused: trials are added one by one while a search runs."""
        raise DatasetError(f"{self.folder}: studies cannot be saved as a whole")

    def _exists(self) -> bool:
        return self.folder.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self.folder)}
