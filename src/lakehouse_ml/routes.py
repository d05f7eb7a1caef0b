"""Where alerts are told: the log, a file, a webhook."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import requests
from pydantic import BaseModel, ConfigDict, Field
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from lakehouse_ml.whole_file import write_whole

Message = Mapping[str, Any]

CLOSED = "closed"
_LEVELS = {"critical": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}
# What they say of an address that does not answer holds the address, and a webhook's address is its secret.
_TALKERS = ("urllib3.connectionpool", "urllib3.util.retry")
_TRY_AGAIN = (408, 429, 500, 502, 503, 504)


class RouteError(RuntimeError):
    """A route did not take the messages; the text holds no address."""


class Route(Protocol):
    """A place that messages are brought to."""

    @property
    def name(self) -> str:
        """Name in the configuration."""

    def tell(self, messages: Sequence[Message]) -> None:
        """Bring the messages there, all or none. A message may come twice; its ``id`` tells.

        Args:
            messages: At least one; see ``ops.alerts`` for the fields, with ``id`` and ``environment``.

        Raises:
            RouteError: The place does not take them.
        """


@runtime_checkable
class Address(Protocol):
    """An address that is a secret: shown by its name, known when it is asked for."""

    def reveal(self) -> str:
        """The address itself."""


def in_words(message: Message) -> str:
    """The message as one line of text."""
    return (
        f"{message['environment']}: {message['severity']} {message['rule']} {message['subject']} {message['event']}: "
        f"{message['reason']} (open since {message['opened_at']}, {message['owner']})"
    )


@dataclass(frozen=True)
class LogRoute:
    """The program's log: a line for each message, as loud as it is urgent."""

    name: str = "log"

    def tell(self, messages: Sequence[Message]) -> None:
        """See :meth:`Route.tell`."""
        for message in messages:
            level = logging.INFO if message["event"] == CLOSED else _LEVELS[message["severity"]]
            logging.getLogger("lakehouse_ml.alerts").log(level, in_words(message))


@dataclass(frozen=True)
class FileRoute:
    """A file of JSON lines, for whatever collects files.

    Attributes:
        path: The file; it only ever grows, and is written anew each time.
    """

    path: Path
    name: str = "file"

    def tell(self, messages: Sequence[Message]) -> None:
        """See :meth:`Route.tell`."""
        lines = "".join(f"{json.dumps(dict(message), sort_keys=True)}\n" for message in messages)
        try:
            before = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
            write_whole(self.path, before + lines)
        except OSError as error:
            raise RouteError(f"{self.path} cannot be written: {error.strerror}") from error


class WebhookParams(BaseModel):
    """How a webhook is called.

    Attributes:
        address: Where to; a secret.
        timeout_seconds: To connect, and then for each part of the answer.
        retries: Further tries of a call that failed.
        backoff_seconds: Before the second further try; doubles with each.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
    )

    address: Address
    timeout_seconds: float = Field(gt=0, le=60)
    retries: int = Field(ge=0, le=10)
    backoff_seconds: float = Field(ge=0, le=60)


@dataclass(frozen=True)
class WebhookRoute:
    """An HTTP address that takes a POST: ``{"text": ..., "alerts": [...]}``, one call for all messages of a run.

    Attributes:
        address: Where to; a secret, so no text of this module holds it.
        params: How it is called.
    """

    address: str = field(repr=False)
    params: WebhookParams
    name: str = "webhook"

    def tell(self, messages: Sequence[Message]) -> None:
        """See :meth:`Route.tell`."""
        body = {"text": "\n".join(map(in_words, messages)), "alerts": [dict(message) for message in messages]}
        with _hushed(), self._session() as session:
            fault = self._fault(session, body)
        if fault:
            raise RouteError(f"the address in {self.params.address} {fault}")

    def _fault(self, session: requests.Session, body: Message) -> str:
        seconds = (self.params.timeout_seconds, self.params.timeout_seconds)
        try:
            # A redirect would carry the messages to somebody else; what is answered is of no interest.
            with session.post(
                self.address, json=body, timeout=seconds, allow_redirects=False, stream=True
            ) as answer:
                return "" if 200 <= answer.status_code < 300 else f"answers {answer.status_code}"
        except requests.RequestException as error:
            # The error's own text holds the address.
            return f"does not answer ({type(error).__name__})"

    def _session(self) -> requests.Session:
        retry = Retry(
            total=self.params.retries,
            backoff_factor=self.params.backoff_seconds / 2,
            status_forcelist=_TRY_AGAIN,
            allowed_methods={"POST"},
            raise_on_status=False,
            # A receiver could ask for hours.
            respect_retry_after_header=False,
        )
        session = requests.Session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        return session


@contextmanager
def _hushed() -> Iterator[None]:
    talkers = [logging.getLogger(name) for name in _TALKERS]
    before = [talker.disabled for talker in talkers]
    for talker in talkers:
        talker.disabled = True
    try:
        yield
    finally:
        for talker, was in zip(talkers, before, strict=True):
            talker.disabled = was


def webhook_route(params: WebhookParams) -> WebhookRoute:
    """The webhook whose address is looked up now.

    Raises:
        RouteError: The secret holds no address; its name is told, its value is not.
    """
    address = params.address.reveal()
    if not address.startswith(("https://", "http://")):
        raise RouteError(f"{params.address} holds no address that begins with https:// or http://")
    return WebhookRoute(address, params)
