import errno
import gzip
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehouse_ml.datasets.landing import LandingListing
from lakehouse_ml.lakehouse.landing import landed_file
from lakehouse_ml.lakehouse.sources import record_fields
from lakehouse_ml.lakehouse.tables import REQUESTS
from lakehouse_ml.serving.answer import log_records
from lakehouse_ml.serving.request_log import RequestLog
from serving_builders import logged

NOON = datetime(2026, 3, 1, 12, 59, 59, 999_999, tzinfo=UTC)
KILLED = """
import sys, os, signal
from datetime import UTC, datetime
from pathlib import Path
from lakehouse_ml.serving.request_log import RequestLog
log = RequestLog(Path(sys.argv[1]), "killed", lambda: datetime(2026, 3, 1, 12, tzinfo=UTC), 1)
log.append(['{"n": 1}', '{"n": 2}'])
os.kill(os.getpid(), signal.SIGKILL)
"""


class Clock:
    """A clock that the test moves."""

    now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def log_at(folder: Path, clock: Clock, writer: str = "w", file_mb_max: float = 1.0) -> RequestLog:
    return RequestLog(folder, writer, clock, file_mb_max)


def record(number: int) -> str:
    return json.dumps({"n": number})


def landed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.gz") if not path.name.startswith("."))


def numbers(folder: Path) -> list[int]:
    return [found["n"] for found in logged(folder)]


def unzipped(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def left_over(folder: Path) -> list[str]:
    return sorted(
        path.name for path in folder.iterdir() if path.name.startswith(".") and path.name != ".lock"
    )


def test_records_land_in_order_with_the_moment_when_they_were_written(tmp_path: Path, clock: Clock) -> None:
    log = log_at(tmp_path, clock)
    log.append([record(1), record(2)])
    log.append([record(3)])
    assert landed(tmp_path) == []
    log.close()
    assert landed(tmp_path) == ["2026-03-01T12-w-0.jsonl.gz"]
    assert logged(tmp_path) == [{"n": n, "published_at": "2026-03-01T12:59:59.999999Z"} for n in (1, 2, 3)]
    assert left_over(tmp_path) == []


def test_a_file_lands_when_its_hour_is_over_and_covers_that_hour(tmp_path: Path, clock: Clock) -> None:
    log = log_at(tmp_path, clock)
    log.append([record(1)])
    log.land_due()
    assert landed(tmp_path) == []
    clock.now += timedelta(microseconds=1)
    log.land_due()
    (name,) = landed(tmp_path)
    assert landed_file("requests", name, 1).period_end == clock.now
    log.append([record(2)])
    log.close()
    assert landed(tmp_path) == [name, "2026-03-01T13-w-1.jsonl.gz"]
    assert numbers(tmp_path) == [1, 2]


def test_the_turn_of_the_hour_between_two_requests_begins_another_file(tmp_path: Path, clock: Clock) -> None:
    log = log_at(tmp_path, clock)
    log.append([record(1)])
    clock.now += timedelta(microseconds=1)
    log.append([record(2)])
    log.close()
    assert [unzipped(tmp_path / name).count("\n") for name in landed(tmp_path)] == [1, 1]


def test_a_large_file_lands_before_its_hour_is_over(tmp_path: Path, clock: Clock) -> None:
    log = log_at(tmp_path, clock, file_mb_max=1e-5)
    for number in range(3):
        log.append([record(number)])
    log.land_due()
    assert len(landed(tmp_path)) == 2
    log.close()
    assert numbers(tmp_path) == [0, 1, 2]


def test_nothing_lands_where_nothing_was_asked(tmp_path: Path, clock: Clock) -> None:
    log = log_at(tmp_path, clock)
    log.land_due()
    log.close()
    assert landed(tmp_path) == []


def test_no_reader_of_the_landing_folder_sees_a_file_that_grows(tmp_path: Path, clock: Clock) -> None:
    log = log_at(tmp_path / "test" / "requests", clock)
    log.append([record(1)])
    listing = LandingListing(catalog="test", folder=str(tmp_path / "test"))
    assert listing.load() == []
    log.close()
    assert [file.source for file in listing.load()] == ["requests"]


def test_what_a_killed_server_wrote_is_landed_by_the_next_one_once(tmp_path: Path, clock: Clock) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert left_over(tmp_path) == [".2026-03-01T12-killed-0.jsonl"]
    assert log_at(tmp_path, clock).recover() == ["2026-03-01T12-killed-0.jsonl.gz"]
    assert log_at(tmp_path, clock).recover() == []
    assert numbers(tmp_path) == [1, 2]
    assert left_over(tmp_path) == []


def test_a_line_that_was_cut_off_lands_as_it_is(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / ".2026-03-01T12-killed-0.jsonl").write_text('{"n": 1}\n{"n"')
    log_at(tmp_path, clock).recover()
    assert unzipped(tmp_path / landed(tmp_path)[0]) == '{"n": 1}\n{"n"'


def test_the_file_of_a_server_at_work_is_left_to_it(tmp_path: Path, clock: Clock) -> None:
    other = log_at(tmp_path, clock, "other")
    other.append([record(1)])
    assert log_at(tmp_path, clock).recover() == []
    other.append([record(2)])
    other.close()
    assert numbers(tmp_path) == [1, 2]


def test_a_file_that_its_server_lands_meanwhile_stops_no_other_from_starting(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, listed = log_at(tmp_path, clock), Path.glob
    first.append(["{}"])

    def landed_after(folder: Path, pattern: str) -> list[Path]:
        found = list(listed(folder, pattern))
        first.close()
        return found

    monkeypatch.setattr(Path, "glob", landed_after)
    assert log_at(tmp_path, clock).recover() == []
    assert len(list(listed(tmp_path, "*.gz"))) == 1


def test_killed_while_a_file_lands_it_is_landed_once(tmp_path: Path, clock: Clock) -> None:
    grown, name = tmp_path / ".2026-03-01T12-killed-0.jsonl", "2026-03-01T12-killed-0.jsonl.gz"
    grown.write_text('{"n": 1}\n')
    (tmp_path / f".{name}.part").write_bytes(b"half a file")
    log_at(tmp_path, clock).recover()
    before = (tmp_path / name).stat()
    # It had appeared, and its grown form was not removed yet.
    grown.write_text('{"n": 1}\n')
    assert log_at(tmp_path, clock).recover() == [name]
    assert (tmp_path / name).stat() == before
    assert numbers(tmp_path) == [1]
    assert left_over(tmp_path) == []


def test_records_that_cannot_be_written_leave_nothing_behind(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, write = log_at(tmp_path, clock), os.write
    log.append([record(1)])

    def full_disk(file: int, content: Any) -> int:
        if len(content) < 30:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, content[:30])

    with monkeypatch.context() as full:
        full.setattr(os, "write", full_disk)
        with pytest.raises(OSError, match="No space left"):
            log.append([record(2)])
    log.append([record(3)])
    log.close()
    assert numbers(tmp_path) == [1, 3]


def test_a_record_has_the_fields_of_the_contract() -> None:
    found = {
        "key": "a",
        "score": 0.3,
        "decision": False,
        "threshold": 0.4,
        "model_version": "1",
        "role": "champion",
        "model_digest": "f" * 64,
    }
    (line,) = log_records(
        [found], {"hour": [3.0], "pilot": ["Ann"]}, ["hour"], {"request_id": "r", "client_request_id": None}
    )
    written = json.loads(line)
    assert {*written, "published_at"} == {field.name for field in record_fields(REQUESTS)}
    assert written["features"] == {"hour": 3.0}
