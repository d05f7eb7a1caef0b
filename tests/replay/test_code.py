"""A replay goes on with the code that it began with, or not at all."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse_ml.replay.code import RECORD, fingerprint, read_code, record_code, refuse_other_code
from lakehouse_ml.replay.data_part import play_data
from lakehouse_ml.replay.policy_part import play_policy
from lakehouse_ml.replay.steps import ReplayError, Step, moments
from lakehouse_ml.replay.world import DATA, World

ROOT = Path(__file__).parents[2]
NOWS = moments(datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 4, 8, tzinfo=UTC), timedelta(days=7))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    (folder / "stage").mkdir(parents=True)
    (folder / "stage/one.py").write_text("ONE = 1\n")
    return folder


def begun_with_other_code(folder: Path) -> World:
    record_code(folder, ROOT)
    record = folder / RECORD
    record.write_text(record.read_text().replace(fingerprint(), "0" * 64))
    return World(folder, ROOT)


def land_nothing(folder: Path, since: datetime | None, until: datetime) -> None:
    raise AssertionError("a step was begun")


@pytest.mark.parametrize(
    ("file", "text"), [("stage/one.py", "ONE = 2\n"), ("stage/two.py", ""), ("stage/one.py", None)]
)
def test_code_that_is_changed_added_or_removed_is_other_code(
    package: Path, file: str, text: str | None
) -> None:
    before = fingerprint.__wrapped__(package)
    if text is None:
        (package / file).unlink()
    else:
        (package / file).write_text(text)
    assert fingerprint.__wrapped__(package) != before


def test_what_is_no_code_changes_nothing(package: Path) -> None:
    before = fingerprint.__wrapped__(package)
    (package / "stage/notes.md").write_text("later")
    assert fingerprint.__wrapped__(package) == before


def test_the_code_that_began_goes_on(tmp_path: Path) -> None:
    record_code(tmp_path, ROOT)
    refuse_other_code(tmp_path)
    assert read_code(tmp_path).fingerprint == fingerprint()


def test_no_step_is_played_by_other_code_than_it_began_with(tmp_path: Path) -> None:
    world = begun_with_other_code(tmp_path)
    step = Step("run-1", NOWS[0], {}, 1.0)
    for steps in (play_data(world, NOWS, land_nothing), play_policy(world, "never", [step], ())):
        with pytest.raises(ReplayError, match=r"begun with other code, commit .*: check it out, or remove"):
            next(steps)
    assert not world.current_step("never").exists()


def test_nobody_knows_what_code_played_a_replay_without_a_record(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"no code\.json, .*: remove the folder"):
        next(play_data(World(tmp_path, ROOT), NOWS, land_nothing))


def test_what_was_played_can_be_looked_at_with_other_code(tmp_path: Path) -> None:
    world = begun_with_other_code(tmp_path)
    played = [Step(f"run-{now:%d}", now, {}, 1.0) for now in NOWS]
    for step in played:
        world.done(DATA).add(step)
    assert list(play_data(world, NOWS, land_nothing)) == played
