"""The request log: landing files of the source ``requests``, written while requests are answered.

A line is in a file before its request is answered. The file grows under a name with a leading dot, which no reader of
the landing folder lists, and is locked by its writer. When its hour is over, when it is large or when the server
stops, it is zipped and appears at once under its own name. A file whose writer was killed is landed by the next
server.
"""

import gzip
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from filelock import FileLock

# As feed files are; smaller ones would cost more time than they save.
COMPRESSION = 4
_OPEN = ".{period:%Y-%m-%dT%H}-{writer}-{number}.jsonl"
_PATTERN = ".*.jsonl"


class _Segment:
    """A file that grows; locked as long as it is open."""

    def __init__(self, path: Path, period: datetime) -> None:
        self.path = path
        self.period = period
        self.size = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        flock(self._file, LOCK_EX | LOCK_NB)

    def append(self, content: bytes) -> None:
        """Add all of it or nothing."""
        left = memoryview(content)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        self.size += len(content)

    def land(self) -> None:
        """Let it appear in the landing folder."""
        _land(self.path)
        os.close(self._file)


class RequestLog:
    """Lines into landing files.

    Args:
        folder: The source's landing folder.
        writer: Names this server in file names: letters and digits, unlike any other server's.
        clock: The wall clock, UTC.
        file_mb_max: A file lands when it is that large.
    """

    def __init__(self, folder: Path, writer: str, clock: Callable[[], datetime], file_mb_max: float) -> None:
        self._folder, self._writer, self._clock = folder, writer, clock
        self._bytes_max = int(file_mb_max * 1e6)
        # Taken by whoever makes a file or takes one over: a file is never there without its lock.
        self._turn = FileLock(folder / ".lock")
        self._writing = threading.Lock()
        self._landing = threading.Lock()
        self._open: _Segment | None = None
        self._full: list[_Segment] = []
        self._number = 0
        folder.mkdir(parents=True, exist_ok=True)

    def recover(self) -> list[str]:
        """Land what killed servers left; the names of these files.

        Raises:
            OSError: One of them cannot be landed, and all others are; it is tried again by a later call.
        """
        names, fault = [], None
        with self._turn:
            for path in sorted(self._folder.glob(_PATTERN)):
                try:
                    names += [_landed_name(path)] if _take_over(path) else []
                except OSError as error:
                    fault = error
        if fault is not None:
            raise fault
        return names

    def append(self, records: Sequence[str]) -> None:
        """Write records; when this returns, no end of this process loses them.

        Args:
            records: JSON objects without ``published_at``, which is added.

        Raises:
            OSError: They cannot be written; none of them is.
        """
        with self._writing:
            now = self._clock()
            end = f', "published_at": "{now:%Y-%m-%dT%H:%M:%S.%fZ}"}}\n'
            segment = self._segment(now)
            segment.append("".join(record.removesuffix("}") + end for record in records).encode())

    def _segment(self, now: datetime) -> _Segment:
        period = now.replace(minute=0, second=0, microsecond=0)
        if self._open is None or self._open.period != period or self._open.size >= self._bytes_max:
            self._retire()
            name = _OPEN.format(period=period, writer=self._writer, number=self._number)
            with self._turn:
                self._open = _Segment(self._folder / name, period)
            self._number += 1
        return self._open

    def _retire(self) -> None:
        if self._open is not None:
            self._full.append(self._open)
            self._open = None

    def land_due(self) -> None:
        """Land the files that are full or whose hour is over.

        Raises:
            OSError: One cannot be written; it is landed by a later call.
        """
        with self._writing:
            hour = self._clock().replace(minute=0, second=0, microsecond=0)
            if self._open is not None and self._open.period != hour:
                self._retire()
        self._land_full()

    def _land_full(self) -> None:
        with self._landing:
            while self._full:
                self._full[0].land()
                del self._full[0]

    def close(self) -> None:
        """Land everything."""
        with self._writing:
            self._retire()
        self._land_full()


def _take_over(path: Path) -> bool:
    """Whether it was no server's any more, and is landed now; one that is gone was landed by its own meanwhile."""
    with suppress(BlockingIOError, FileNotFoundError), path.open("rb") as file:
        flock(file, LOCK_EX | LOCK_NB)
        _land(path)
        return True
    return False


def _landed_name(path: Path) -> str:
    return f"{path.name.removeprefix('.')}.gz"


def _land(path: Path) -> None:
    """Zip a grown file and let it appear at once and whole; killed anywhere, the same again gives the same file."""
    landed = path.with_name(_landed_name(path))
    if not landed.exists():
        partial = path.with_name(f".{landed.name}.part")
        with path.open("rb") as lines, partial.open("wb") as file:
            with gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as archive:
                shutil.copyfileobj(lines, archive)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, landed)
        _sync(path.parent)
    path.unlink()


def _sync(folder: Path) -> None:
    """Make the folder's names last."""
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
