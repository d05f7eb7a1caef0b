"""Files that are there in whole or not at all, whenever their writer is killed."""

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Put the text in place of what the file holds; folders are made.

    Nothing is ever appended: a Volume on Databricks cannot, and a kill would leave half a line.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    half.write_text(text, encoding="utf-8")
    os.replace(half, path)
