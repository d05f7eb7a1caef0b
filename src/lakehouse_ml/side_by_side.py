"""The runner of a day's nodes."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

from kedro.runner import ThreadRunner


class _Pool(ThreadPoolExecutor):
    """Threads that begin nothing more once something has gone wrong."""

    _failure: BaseException | None = None

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As of any pool; what has not begun at the first failure never does, and ends with that failure."""
        return super().submit(self._unless_failed, work, *args, **kwargs)

    def _unless_failed(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._failure is not None:
            raise self._failure
        try:
            return work(*args, **kwargs)
        except BaseException as error:
            # In the thread that fails: before the main one hears of it, this one takes what waits.
            self._failure = self._failure or error
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown(wait=True, cancel_futures=kind is not None)


class SideBySideRunner(ThreadRunner):
    """Kedro's ``ThreadRunner``, but that nodes that wait for a thread never begin after a failure or Ctrl-C.

    Nodes at work then are waited for; of classic Spark its own answer to Ctrl-C takes their jobs from them.
    """

    def _get_executor(self, max_workers: int) -> Executor:
        return _Pool(max_workers)
