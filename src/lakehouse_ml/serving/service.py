"""What the server does with a request, without HTTP."""

import logging
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from lakehouse_ml.registry import Champion
from lakehouse_ml.serving.answer import answer_of, log_records, predictions
from lakehouse_ml.serving.body import read_body
from lakehouse_ml.serving.columns import request_columns, typed_rows
from lakehouse_ml.serving.request_log import RequestLog
from lakehouse_ml.serving.versions import Versions
from lakehouse_ml.use_case import UseCase

logger = logging.getLogger(__name__)


class ScoringService:
    """Checks, scores and logs requests.

    Args:
        use_case: Whose feature contracts requests keep.
        versions: Who scores.
        log: The request log.
    """

    def __init__(self, use_case: UseCase, versions: Versions, log: RequestLog) -> None:
        self._columns = request_columns(use_case)
        self._logged = [c.name for c in self._columns if c.name != "key" and c.privacy != "restricted"]
        self._versions = versions
        self._log = log
        self._append_fault = self._land_fault = ""
        self._told = self.state

    def start(self) -> None:
        """Land what killed servers left."""
        self._land()
        self._tell()

    def answer(self, content: bytes) -> bytes:
        """The answer to a request's body; every row is in the request log when this returns.

        Raises:
            RequestError: The body is not as it must be.
            ScoreError: A score is no probability.
            OSError: The request log cannot be written: what is not on record is not answered.
        """
        body = read_body(content)
        rows = typed_rows(body.table, self._columns)
        request = {"request_id": uuid4().hex, "client_request_id": body.client_request_id}
        found = predictions(rows, self._versions.served).to_dict("records")
        self._append([*log_records(found, body.table, self._logged, request)])
        return answer_of(found, request)

    def _append(self, records: list[str]) -> None:
        try:
            self._log.append(records)
        except OSError as error:
            self._append_fault = f"the request log cannot be written: {error}"
            raise
        self._append_fault = ""

    def keep_up(self) -> None:
        """Follow the alias, and land what is due; what fails is tried again at the next call, and told by ping.

        Whatever it is: this is called until the server stops, and an error would end that in silence.
        """
        self._versions.follow()
        self._land()
        self._tell()

    def _land(self) -> None:
        try:
            self._log.land_due()
            for name in self._log.recover():
                logger.warning("Landed %s, which a killed server had left open", name)
            self._land_fault = ""
        except Exception as error:
            if not isinstance(error, OSError):
                logger.exception("The request log could not be landed")
            self._land_fault = str(error) if isinstance(error, OSError) else repr(error)

    def _tell(self) -> None:
        if self.state != self._told:
            self._told = self.state
            logger.warning("Now serving %s", self._told)

    @property
    def state(self) -> Mapping[str, Any]:
        """Who scores, and what is wrong."""
        served = self._versions.served
        return {
            "champion": _named(served.champion),
            "challenger": served.challenger and _named(served.challenger) | {"percent": served.percent},
            "faults": [fault for fault in (served.fault, self._append_fault, self._land_fault) if fault],
        }

    def stop(self) -> None:
        """Land the request log; no request may come after."""
        self._log.close()


def _named(version: Champion) -> dict[str, Any]:
    return {"model_version": version.version, "model_digest": version.digest}
