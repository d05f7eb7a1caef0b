"""The manifest of a messy landing folder: every damaged line and file, so that tests can reconcile."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lakehouse_ml.flights.feed.errors import FeedError
from lakehouse_ml.flights.feed.files import land
from lakehouse_ml.flights.feed.messy import Mess

MANIFEST = "_manifest.json"
Entry = dict[str, Any]


def read_manifest(folder: Path, mess: Mess) -> dict[str, Any]:
    """The folder's manifest, or an empty one.

    Args:
        folder: The environment's landing folder, above the sources' folders.
        mess: The damage that is about to be played.

    Raises:
        FeedError: The folder was played with another seed or other rates.
    """
    world = {"seed": mess.seed, "rates": asdict(mess.rates)}
    path = folder / MANIFEST
    if not path.exists():
        return {**world, "records": [], "files": []}
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if {name: manifest[name] for name in world} != world:
        raise FeedError(
            f"{path} belongs to seed {manifest['seed']} with rates {manifest['rates']}, now asked: {world}; "
            "use the same again, or empty the landing folder"
        )
    return manifest


def add_to_manifest(folder: Path, mess: Mess, records: list[Entry], files: list[Entry]) -> None:
    """Merge what the next files hold; called before they land, so that no damage ever lies there unlisted.

    Args:
        folder: The environment's landing folder.
        mess: The damage that is played.
        records: One entry per damaged or extra line: source, file, line, kind, effect, key, published_at.
        files: One entry per late or odd file: source, file, kind, arrives_at, lines.
    """
    manifest = read_manifest(folder, mess)
    merged = {
        "records": _merged(manifest["records"], records),
        "files": _merged(manifest["files"], files),
    }
    text = json.dumps(manifest | merged, ensure_ascii=False, indent=1)
    land(folder / MANIFEST, f"{text}\n".encode())


def _merged(old: list[Entry], new: list[Entry]) -> list[Entry]:
    entries = {(entry["source"], entry["file"], entry.get("line", 0)): entry for entry in (*old, *new)}
    return [entries[place] for place in sorted(entries)]
