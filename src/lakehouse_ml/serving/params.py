"""Numbers and names of the server."""

from pydantic import BaseModel, ConfigDict, Field


class ServingParams(BaseModel):
    """``parameters_serving.yml``.

    Attributes:
        host: Address to listen on.
        port: Port to listen on.
        poll_seconds: Between two looks at the alias.
        request_mb_max: Largest body of a request, in 10^6 bytes.
        threads: Requests that are scored at the same time, each in one thread.
        log_file_mb: A file of the request log lands when it is that large, or when its hour is over.
        drain_seconds: For the requests that are at work when the server is told to stop.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str
    port: int = Field(ge=0, lt=65536)
    poll_seconds: float = Field(gt=0)
    request_mb_max: float = Field(gt=0)
    threads: int = Field(gt=0)
    log_file_mb: float = Field(gt=0)
    drain_seconds: int = Field(gt=0)
