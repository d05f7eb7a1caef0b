"""The runner of a day's nodes."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

from kedro.runner import ThreadRunner


class _Pool(ThreadPoolExecutor):
    """Threads that begin nothing more once something has gone wrong."""

    _has_failed = False

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As of any pool; after a failure, what is never done: whoever waits hears of the failure first."""
        try:
            return super().submit(self._or_end, work, *args, **kwargs)
        except RuntimeError:
            if not self._has_failed:
                raise
            return Future()

    def _or_end(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return work(*args, **kwargs)
        except BaseException:
            # In the thread that fails: before the main one hears of it, this one would take what waits.
            self._has_failed = True
            self.shutdown(wait=False, cancel_futures=True)
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
