"""Messages about alerts as a Kedro dataset: saving tells them, each route once."""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from lakehouse_ml.routes import FileRoute, LogRoute, Message, Route, RouteError, WebhookParams, webhook_route
from lakehouse_ml.whole_file import write_whole

_log = logging.getLogger(__name__)


class AlertRoutes(AbstractDataset[Sequence[Message], dict[str, list[str]]]):
    """The routes that the environment's alerts go, and a record of the messages that each has taken.

    A route that takes nothing fails no run: what it did not take is told when the messages are saved again. A kill
    between telling and recording tells a message twice, with the same ``id``.

    Example:
        ``alert_messages: {type: lakehouse_ml.datasets.AlertRoutes, environment: dev, routes: [log, file],
        file: alerts.jsonl, told: told_alerts.json, webhook: {address: "${secret:dev,alert-webhook}",
        timeout_seconds: 5, retries: 3, backoff_seconds: 1}}``

    Args:
        environment: Stands in every message.
        routes: Names of the routes, of ``log``, ``file`` and ``webhook``.
        file: Path of the route ``file``.
        webhook: As of :class:`WebhookParams`.
        told: JSON file of the record.
    """

    def __init__(
        self,
        *,
        environment: str,
        routes: Sequence[str],
        file: str,
        webhook: dict[str, Any],
        told: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.environment = environment
        self.names = tuple(routes)
        self.told = Path(told)
        self.metadata = metadata
        params = WebhookParams.model_validate(webhook)
        self._known: dict[str, Callable[[], Route]] = {
            "log": LogRoute,
            "file": lambda: FileRoute(Path(file)),
            "webhook": lambda: webhook_route(params),
        }

    def routes(self) -> list[Route]:
        """The environment's routes, ready to be told something.

        Raises:
            RouteError: There is no such route, or no address for it.
            SecretError: The address is missing.
        """
        strange = sorted(set(self.names) - set(self._known))
        if strange:
            raise RouteError(
                f"alert_routes names {', '.join(strange)}; there are {', '.join(sorted(self._known))}"
            )
        return [self._known[name]() for name in self.names]

    def load(self) -> dict[str, list[str]]:
        """Ids of the messages that each route has taken, of those that were saved last."""
        if not self.told.is_file():
            return {}
        return dict(json.loads(self.told.read_text()))

    def save(self, data: Sequence[Message]) -> None:
        """Tell each route what it has not taken yet, in the order given.

        Raises:
            RouteError: There is no such route, or no address for it.
        """
        told = self.load()
        for route in self.routes():
            taken = set(told.get(route.name, ()))
            waiting = [message for message in data if message["id"] not in taken]
            if waiting and self._has_taken(route, waiting):
                # Recorded route by route: what the next one does must not tell this one again.
                told[route.name] = [message["id"] for message in data]
                self._record(told)

    def _has_taken(self, route: Route, waiting: list[Message]) -> bool:
        try:
            route.tell([{**message, "environment": self.environment} for message in waiting])
        except RouteError as error:
            _log.warning(
                "messages about alerts that wait for the next run: %d; route %s: %s",
                len(waiting),
                route.name,
                error,
            )
            return False
        return True

    def _record(self, told: dict[str, list[str]]) -> None:
        write_whole(self.told, json.dumps(told, indent=1, sort_keys=True))

    def _exists(self) -> bool:
        return self.told.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"routes": self.names, "told": str(self.told)}
