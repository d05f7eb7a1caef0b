"""Everything that files below a folder say, whatever they are packed in."""

import gzip
import sqlite3
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def texts_below(folder: Path, *but_not: Path) -> Iterator[tuple[str, str]]:
    """Name and text of every file below a folder, archives opened.

    Args:
        folder: Where.
        *but_not: Folders that are left out.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(path.is_relative_to(left_out) for left_out in but_not):
            yield from texts_of(str(path.relative_to(folder)), path)


def texts_of(name: str, path: Path) -> Iterator[tuple[str, str]]:
    """Name and text of a file; of an archive, those of its members."""
    content = path.read_bytes()
    if content.startswith(b"SQLite format 3"):
        with closing(sqlite3.connect(path)) as stored:
            yield name, "\n".join(stored.iterdump())
    else:
        yield from _unpacked(name, content)


def _unpacked(name: str, content: bytes) -> Iterator[tuple[str, str]]:
    if content.startswith(b"PAR1"):
        yield name, _strings(pq.read_table(BytesIO(content)))
    elif content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(BytesIO(content)) as packed:
            for member in packed.namelist():
                yield from _unpacked(f"{name}:{member}", packed.read(member))
    elif name.endswith((".tar.gz", ".tgz")):
        with tarfile.open(fileobj=BytesIO(content)) as packed:
            for member in packed.getmembers():
                if member.isfile():
                    yield from _unpacked(f"{name}:{member.name}", packed.extractfile(member).read())
    elif content.startswith(b"\x1f\x8b"):
        yield from _unpacked(f"{name}:", gzip.decompress(content))
    else:
        yield name, f"{name}\n{content.decode(errors='replace')}"


def _strings(table: pa.Table) -> str:
    """Every distinct value that is no plain number or time."""
    worded = [field.name for field in table.schema if pa.types.is_nested(field.type) or _is_text(field.type)]
    values: set[Any] = {str(value) for name in worded for value in table.column(name).to_pylist()}
    return "\n".join([*table.schema.names, *sorted(values)])


def _is_text(kind: pa.DataType) -> bool:
    return any(
        test(kind)
        for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_dictionary)
    )
