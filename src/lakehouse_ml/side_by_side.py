"""The runner of a day's nodes."""

from concurrent.futures import Executor, ThreadPoolExecutor
from types import TracebackType

from kedro.runner import ThreadRunner


class _Pool(ThreadPoolExecutor):
    """Threads that begin nothing more once something has gone wrong."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown(wait=True, cancel_futures=kind is not None)


class SideBySideRunner(ThreadRunner):
    """Kedro's ``ThreadRunner``, but that nodes that wait for a thread never begin after a failure or Ctrl-C.

    Nodes at work then are waited for; Spark's own answer to Ctrl-C takes their jobs from them.
    """

    def _get_executor(self, max_workers: int) -> Executor:
        return _Pool(max_workers)
