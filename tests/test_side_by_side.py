"""What a day's runner leaves undone after a failure or Ctrl-C."""

import os
import signal
import time
from collections.abc import Callable, Iterator

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


@pytest.mark.parametrize(("end", "error"), [(fail, ValueError), (interrupt, KeyboardInterrupt)])
def test_what_waits_for_a_thread_does_not_begin_once_something_went_wrong(
    end: Callable[[], None], error: type[BaseException]
) -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if len(begun) == 1:
            end()
        # The main thread has the time of the second node to hear of the first.
        time.sleep(0.5)
        return number

    nodes = [Node(work, "number", f"done_{place}", name=f"node_{place}") for place in range(6)]
    with pytest.raises(error):
        SideBySideRunner(max_workers=1).run(Pipeline(nodes), DataCatalog({"number": MemoryDataset(1)}))
    assert len(begun) <= 2


def test_what_goes_well_is_all_done() -> None:
    nodes = [Node(lambda number: number + 1, "number", f"done_{place}") for place in range(6)]
    found = SideBySideRunner(max_workers=2).run(Pipeline(nodes), DataCatalog({"number": MemoryDataset(1)}))
    assert {dataset.load() for dataset in found.values()} == {2}
