"""The platform's job that trains, as a Kedro dataset: saving starts it, once for each request."""

import logging
from collections.abc import Mapping
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

_log = logging.getLogger(__name__)


class TrainingJob(AbstractDataset[Mapping[str, Mapping[str, str]], NoReturn]):
    """The job that trains. A wheel's task cannot set values for others, so monitoring starts it through the jobs API.

    The request's key is the API's idempotency token: a request that is saved again, by a repair or on the next day,
    starts nothing anew, whatever became of the first run.

    Example:
        ``training_job: {type: lakehouse_ml.datasets.TrainingJob, job_id: 815}``

    Args:
        job_id: The job; None: there is none here, and a request stays open for ``kedro retrain``.
    """

    def __init__(self, *, job_id: int | None = None, metadata: dict[str, Any] | None = None) -> None:
        self.job_id = job_id
        self.metadata = metadata

    def save(self, data: Mapping[str, Mapping[str, str]]) -> None:
        """Start the job for each request.

        Args:
            data: Parameters of the job by the request's key, at most 64 characters.

        Raises:
            DatasetError: The API does not start it; naming the job and what the API says.
        """
        if self.job_id is not None:
            for key, parameters in data.items():
                _log.info("request %s: run %s of job %s", key[:12], self._start(key, parameters), self.job_id)

    def _start(self, key: str, parameters: Mapping[str, str]) -> int:
        # Takes seconds, and most processes start no job.
        from databricks.sdk import WorkspaceClient
        from databricks.sdk.errors.base import DatabricksError

        try:
            started = WorkspaceClient().jobs.run_now(
                int(str(self.job_id)), idempotency_token=key, job_parameters=dict(parameters)
            )
        except (DatabricksError, ValueError) as error:
            raise DatasetError(
                f"job {self.job_id} was not started for request {key[:12]}: {error}. The request stays open; run the "
                f"monitoring task again, or the job by hand"
            ) from error
        return int(started.run_id)

    def load(self) -> NoReturn:
        """Refused: what became of a request stands in ``ops.promotion_ledger``."""
        raise DatasetError(f"job {self.job_id}: a job cannot be loaded")

    def _exists(self) -> bool:
        return self.job_id is not None

    def _describe(self) -> dict[str, Any]:
        return {"job_id": self.job_id}
