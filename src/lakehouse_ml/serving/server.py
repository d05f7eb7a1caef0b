"""The server's process: put together, run until it is told to stop."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import uvicorn

from lakehouse_ml.lakehouse.tables import REQUESTS
from lakehouse_ml.serving.app import create_app
from lakehouse_ml.serving.params import ServingParams
from lakehouse_ml.serving.request_log import RequestLog
from lakehouse_ml.serving.service import ScoringService
from lakehouse_ml.serving.versions import Versions
from lakehouse_ml.use_case import UseCase


def serve(use_case: UseCase, versions: Versions, landing: Path, params: ServingParams) -> None:
    """Answer requests until SIGTERM or SIGINT; then finish those at work, and land the request log.

    Args:
        use_case: Whose features requests carry.
        versions: Who scores.
        landing: The environment's landing folder.
        params: Address, limits and intervals.
    """
    # Where the wall clock and chance come in: a request has a moment and an identity of its own.
    writer, folder = uuid4().hex[:8], landing / REQUESTS.name
    log = RequestLog(folder, writer, lambda: datetime.now(UTC), params.log_file_mb)
    service = ScoringService(use_case, versions, log)
    config = uvicorn.Config(
        create_app(service, params),
        host=params.host,
        port=params.port,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=params.drain_seconds,
    )
    uvicorn.Server(config).run()
