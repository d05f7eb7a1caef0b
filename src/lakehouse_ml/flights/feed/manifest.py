"""The manifest of a messy landing folder: every damaged line and file, so that tests can reconcile."""

import json
from pathlib import Path
from typing import Any

from lakehouse_ml.flights.feed.damage import Damage
from lakehouse_ml.flights.feed.errors import FeedError
from lakehouse_ml.flights.feed.files import land

MANIFEST = "_manifest.json"
Entry = dict[str, Any]


def read_manifest(folder: Path, damage: Damage) -> dict[str, Any]:
    """The folder's manifest, or an empty one.

    Args:
        folder: The environment's landing folder, above the sources' folders.
        damage: The damage that is about to be played.

    Raises:
        FeedError: The folder was played with other damage.
    """
    world = damage.world
    path = folder / MANIFEST
    if not path.exists():
        return {**world, "records": [], "files": []}
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    played = {name: value for name, value in manifest.items() if name not in ("records", "files")}
    if played != world:
        raise FeedError(
            f"{path} belongs to {_told(played)}, now asked: {_told(world)}; use the same again, or empty the landing "
            f"folder"
        )
    return manifest


def _told(world: dict[str, Any]) -> str:
    return " and ".join(f"{name} {value}" for name, value in world.items())


def add_to_manifest(folder: Path, damage: Damage, records: list[Entry], files: list[Entry]) -> None:
    """Merge what the next files hold; called before they land, so that no damage ever lies there unlisted.

    Args:
        folder: The environment's landing folder.
        damage: The damage that is played.
        records: One entry per damaged or extra line: source, file, line, kind, effect, key, published_at.
        files: One entry per late or odd file: source, file, kind, arrives_at, lines.
    """
    manifest = read_manifest(folder, damage)
    merged = {
        "records": _merged(manifest["records"], records),
        "files": _merged(manifest["files"], files),
    }
    text = json.dumps(manifest | merged, ensure_ascii=False, indent=1)
    land(folder / MANIFEST, f"{text}\n".encode())


def _merged(old: list[Entry], new: list[Entry]) -> list[Entry]:
    entries = {(entry["source"], entry["file"], entry.get("line", 0)): entry for entry in (*old, *new)}
    return [entries[place] for place in sorted(entries)]
