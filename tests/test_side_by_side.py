"""What a day's runner leaves undone after a failure or Ctrl-C."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from threading import Barrier

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from lakehouse_ml.side_by_side import SideBySideRunner


def fail() -> None:
    raise ValueError("broken")


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Python's own answer to Ctrl-C: a process in the background is begun without one."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("end", "error", "begins"),
    # Ctrl-C reaches the main thread, which has the time of the second node for it.
    [(fail, ValueError, {1}), (interrupt, KeyboardInterrupt, {1, 2})],
)
def test_what_waits_for_a_thread_does_not_begin_once_something_went_wrong(
    end: Callable[[], None], error: type[BaseException], begins: set[int]
) -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if len(begun) == 1:
            end()
        time.sleep(0.5)
        return number

    nodes = [Node(work, "number", f"done_{place}", name=f"node_{place}") for place in range(6)]
    with pytest.raises(error):
        SideBySideRunner(max_workers=1).run(Pipeline(nodes), DataCatalog({"number": MemoryDataset(1)}))
    assert len(begun) in begins


def test_a_failure_is_told_although_what_ends_beside_it_has_followers() -> None:
    begun: list[str] = []

    def work(name: str, fails: bool = False) -> Callable[[int], int]:
        def done(number: int) -> int:
            begun.append(name)
            beside.wait()
            if fails:
                raise ValueError("broken")
            return number

        return done

    def follow(number: int) -> int:
        begun.append("follower")
        return number

    for _ in range(50):
        beside = Barrier(2)
        nodes = [
            Node(work("fails", fails=True), "number", "lost"),
            Node(work("ends"), "number", "kept"),
            *(Node(follow, "kept", f"follows_{place}") for place in range(3)),
        ]
        with pytest.raises(ValueError, match="broken"):
            SideBySideRunner(max_workers=2).run(Pipeline(nodes), DataCatalog({"number": MemoryDataset(1)}))
    # A failure and what goes well beside it begin together; followers may, until the failure is there.
    assert {*begun} <= {"fails", "ends", "follower"}
    assert begun.count("fails") == begun.count("ends") == 50


def test_what_goes_well_is_all_done() -> None:
    nodes = [Node(lambda number: number + 1, "number", f"done_{place}") for place in range(6)]
    found = SideBySideRunner(max_workers=2).run(Pipeline(nodes), DataCatalog({"number": MemoryDataset(1)}))
    assert {dataset.load() for dataset in found.values()} == {2}
