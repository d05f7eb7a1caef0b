"""The scoring protocol of MLflow and Databricks Model Serving over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import mlflow
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from threadpoolctl import threadpool_limits

from lakehouse_ml.scoring import ScoreError
from lakehouse_ml.serving.errors import RequestError
from lakehouse_ml.serving.params import ServingParams
from lakehouse_ml.serving.service import ScoringService

JSON = "application/json"

router = APIRouter()


def create_app(service: ScoringService, params: ServingParams) -> FastAPI:
    """The web application; it lands the request log when it is shut down."""
    # The pages of the documentation would come from a network.
    app = FastAPI(title="lakehouse_ml", openapi_url=None, lifespan=_running)
    app.state.service, app.state.params = service, params
    app.include_router(router)
    # What is not foreseen is told in the same form, and stands in the server's log, too.
    for error in (RequestError, ScoreError, OSError, Exception):
        app.add_exception_handler(error, _refusal)
    return app


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    service, params = app.state.service, app.state.params
    # The requests share the cores already: threads of the model's own would only fight over them.
    app.state.pool = ThreadPoolExecutor(params.threads, initializer=threadpool_limits, initargs=(1,))
    service.start()
    keeping_up = asyncio.create_task(_repeated(service.keep_up, params.poll_seconds))
    yield
    keeping_up.cancel()
    # Waits for the last requests: they are in the log before it lands.
    app.state.pool.shutdown()
    service.stop()


async def _repeated(work: Callable[[], None], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(work)


@router.post("/invocations")
async def invocations(request: Request) -> Response:
    """Score the rows of the body."""
    state = request.app.state
    content = await _content(request, int(state.params.request_mb_max * 1e6))
    answer = asyncio.get_running_loop().run_in_executor(state.pool, state.service.answer, content)
    return Response(await answer, media_type=JSON)


@router.get("/ping")
async def ping(request: Request) -> JSONResponse:
    """Whether requests are answered, by whom, and what is wrong."""
    return JSONResponse(request.app.state.service.state)


@router.get("/version")
async def version() -> PlainTextResponse:
    """MLflow's version, as its own scoring server has it."""
    return PlainTextResponse(mlflow.__version__)


async def _content(request: Request, bytes_max: int) -> bytes:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").lower()
    if kind != JSON or encoding != "identity":
        raise RequestError(
            f"Content-Type: must be {JSON} without Content-Encoding, is {kind or 'missing'} ({encoding})",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > bytes_max:
            raise RequestError(
                f"The body has more than {bytes_max:,} bytes, which is the limit: send the rows in several requests",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
    return bytes(content)


async def _refusal(request: Request, error: Exception) -> JSONResponse:
    # What the log cannot take now, it may take later.
    ours = HTTPStatus.SERVICE_UNAVAILABLE if isinstance(error, OSError) else HTTPStatus.INTERNAL_SERVER_ERROR
    status = getattr(error, "status", ours)
    # A name may hold half a character, which no answer can carry.
    message = str(error).encode("utf-8", "backslashreplace").decode()
    answer: dict[str, Any] = {"error_code": status.name, "message": message}
    return JSONResponse(answer, status)
