"""The environment's serving endpoint as a Kedro dataset: a handle, which promotion brings to the champion."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from lakehouse_ml.platform import Platform
from lakehouse_ml.registry import ModelReference
from lakehouse_ml.serving_endpoint import Endpoint, EndpointError, NoEndpoint

if TYPE_CHECKING:
    from databricks.sdk.service.serving import ServedEntityOutput, ServingEndpointDetailed

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DatabricksEndpoint:
    """An endpoint of Model Serving with one served version, which takes all requests.

    Attributes:
        name: Of the endpoint, in its workspace.
        model: ``<catalog>.<schema>.<model>``.
        workload_size: ``Small``, ``Medium`` or ``Large``; it comes with the next version that is served.
        scale_to_zero: Whether it costs nothing, and starts slowly, when nobody asks; it comes likewise.
        tags: Of the endpoint, when it is made.
    """

    name: str
    model: str
    workload_size: str
    scale_to_zero: bool
    tags: Mapping[str, str]

    def serve(self, champion: ModelReference) -> None:
        """See :meth:`Endpoint.serve`; what serves it already, or is on the way to it, is left alone."""
        # Takes seconds, and most processes move no champion.
        from databricks.sdk import WorkspaceClient

        version = champion.version
        with self._told(version):
            api = WorkspaceClient().serving_endpoints
            found = self._found(api)
            if found is not None and self._serves(found, version):
                return
            self._ask_for(version, api, is_new=found is None)
        _log.info("endpoint %s: version %s of %s was asked for", self.name, version, self.model)
        if found is not None and _update_of(found) == "UPDATE_FAILED":
            raise EndpointError(
                f"endpoint {self.name}: its last update failed, so version {version} was asked for anew. Events and "
                f"build logs on the endpoint's page in the workspace tell why; if it cannot be mended, take the "
                f"version back with `kedro rollback`, on Databricks the job rollback."
            )

    def _serves(self, found: "ServingEndpointDetailed", version: str) -> bool:
        served = [(entity.entity_name, entity.entity_version) for entity in _asked_for(found)]
        return served == [(self.model, version)] and not _is_down(found)

    def _found(self, api: Any) -> "ServingEndpointDetailed | None":
        from databricks.sdk.errors import NotFound

        try:
            found: ServingEndpointDetailed = api.get(self.name)
        except NotFound:
            return None
        return found

    def _ask_for(self, version: str, api: Any, *, is_new: bool) -> None:
        from databricks.sdk.service.serving import (
            EndpointCoreConfigInput,
            EndpointTag,
            Route,
            ServedEntityInput,
            TrafficConfig,
        )

        # Its own name for each version, as metrics and logs have it.
        served = f"{self.model.rpartition('.')[2]}-{version}"
        entity = ServedEntityInput(
            name=served,
            entity_name=self.model,
            entity_version=version,
            workload_size=self.workload_size,
            scale_to_zero_enabled=self.scale_to_zero,
        )
        traffic = TrafficConfig(routes=[Route(served_model_name=served, traffic_percentage=100)])
        if is_new:
            config = EndpointCoreConfigInput(self.name, served_entities=[entity], traffic_config=traffic)
            tags = [EndpointTag(key, value) for key, value in self.tags.items()]
            api.create(self.name, config=config, tags=tags)
        else:
            api.update_config(self.name, served_entities=[entity], traffic_config=traffic)

    @contextmanager
    def _told(self, version: str) -> Iterator[None]:
        """Every failure as one error: the API's, the login's, the network's."""
        try:
            yield
        except (OSError, ValueError) as error:
            raise EndpointError(
                f"endpoint {self.name} was not brought to version {version}: {error}. Ledger and alias stand, and "
                f"batches are scored with it; requests get what the endpoint had. When the cause is over, run `kedro "
                f"run --pipelines endpoint`, on Databricks the job endpoint; promotions and daily runs end with it too."
            ) from error


def _asked_for(found: "ServingEndpointDetailed") -> "list[ServedEntityOutput]":
    """What it is being brought to; what it serves, when no update is under way."""
    is_under_way = _update_of(found) == "IN_PROGRESS" and found.pending_config is not None
    config = found.pending_config if is_under_way else found.config
    return list(config.served_entities or ()) if config is not None else []


def _is_down(found: "ServingEndpointDetailed") -> bool:
    """Whether its first version never came up, or the one that it serves went down with an update."""
    is_ready = (
        found.state is not None and found.state.ready is not None and found.state.ready.value == "READY"
    )
    return _update_of(found) == "UPDATE_FAILED" and not is_ready


def _update_of(found: "ServingEndpointDetailed") -> str | None:
    update = found.state.config_update if found.state is not None else None
    return update.value if update is not None else None


class ServingEndpoint(AbstractDataset[NoReturn, Endpoint]):
    """The endpoint of Model Serving on Databricks; on a laptop there is none.

    Example:
        ``serving_endpoint: {type: lakehouse_ml.datasets.ServingEndpoint, endpoint: dev_churn, catalog: dev,
        model_name: churn, workload_size: Small, scale_to_zero: true, tags: {environment: dev}, platform: databricks}``

    Args:
        endpoint: Its name in the workspace.
        catalog: The environment's catalog; the registered name is ``<catalog>.ml.<model_name>``.
        model_name: Name without catalog and schema.
        platform: ``local`` or ``databricks``.
        **sizes: As of :class:`DatabricksEndpoint`: workload_size, scale_to_zero, tags.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        catalog: str,
        model_name: str,
        platform: Platform,
        metadata: Mapping[str, Any] | None = None,
        **sizes: Any,
    ) -> None:
        there = DatabricksEndpoint(endpoint, f"{catalog}.ml.{model_name}", **sizes)
        self.name, self.platform, self.metadata = endpoint, platform, metadata
        self.endpoint: Endpoint = there if platform == "databricks" else NoEndpoint()

    def load(self) -> Endpoint:
        """The endpoint; not contacted yet."""
        return self.endpoint

    def save(self, data: NoReturn) -> None:
        """Refused: it follows the champion."""
        raise DatasetError(f"endpoint {self.name}: it serves the champion, and takes nothing else")

    def _exists(self) -> bool:
        return self.platform == "databricks"

    def _describe(self) -> dict[str, Any]:
        return {"endpoint": self.name, "platform": self.platform}
