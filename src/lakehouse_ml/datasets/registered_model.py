"""The model registry as Kedro datasets: the model that an alias names, and the registry itself."""

import logging
import threading
from collections.abc import Iterator
from typing import Any, Literal, NoReturn

from kedro.io import AbstractDataset, DatasetError

from lakehouse_ml.champion import current_challengers, current_champion
from lakehouse_ml.datasets.promotion_ledger import PromotionLedger
from lakehouse_ml.model_files import RegistryError
from lakehouse_ml.registry import CHAMPION, Champion, ModelReference, Registry

_log = logging.getLogger(__name__)

# Nodes side by side ask for a model together, and an alias may move between two looks: a run has one.
_LOADING = threading.Lock()


class ModelRegistry(AbstractDataset[NoReturn, Registry]):
    """The registry of one model.

    Example:
        ``model_registry: {type: lakehouse_ml.datasets.ModelRegistry, catalog: dev, model_name: churn,
        registry_uri: "sqlite:///registry.db", tracking_uri: "sqlite:///dev.db"}``

    Args:
        catalog: The environment's catalog; the registered name is ``<catalog>.ml.<model_name>``.
        model_name: Name without catalog and schema.
        registry_uri: Registry; ``databricks-uc`` on Databricks.
        tracking_uri: The environment's tracking store.
    """

    def __init__(
        self,
        *,
        catalog: str,
        model_name: str,
        registry_uri: str,
        tracking_uri: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.registry = Registry(f"{catalog}.ml.{model_name}", registry_uri, tracking_uri)
        self.metadata = metadata

    def load(self) -> Registry:
        """The registry; not contacted yet."""
        return self.registry

    def save(self, data: NoReturn) -> None:
        """Refused: models enter the registry through promotion."""
        raise DatasetError(f"{self.registry.name}: a registry cannot be saved")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"name": self.registry.name, "registry_uri": self.registry.registry_uri}


class _LedgeredModel(AbstractDataset[Any, Any]):
    """What registry and ledger together say of a model."""

    def __init__(
        self,
        *,
        catalog: str,
        model_name: str,
        registry_uri: str,
        tracking_uri: str,
        metadata: dict[str, Any] | None = None,
        **address: Any,
    ) -> None:
        self.registry = ModelRegistry(
            catalog=catalog, model_name=model_name, registry_uri=registry_uri, tracking_uri=tracking_uri
        ).registry
        self.ledger = PromotionLedger(catalog=catalog, **address).ledger
        self.metadata = metadata

    def _describe(self) -> dict[str, Any]:
        return {"name": self.registry.name, "registry_uri": self.registry.registry_uri}


class RegisteredModel(_LedgeredModel):
    """The champion: the version that the alias and the ledger's head both name.

    Loading refuses an alias that differs from the ledger, and gives the :class:`Champion`, its files checked against
    the digest that it was registered with. It writes nothing: a move that a killed promotion left half-way is the next
    promotion's, and until then the alias may name either end of it. Saving takes the reference that promotion hands
    over, and checks it in the same way.

    Example:
        ``ml_champion: {type: lakehouse_ml.datasets.RegisteredModel, catalog: dev, model_name: churn,
        registry_uri: "sqlite:///registry.db", tracking_uri: "sqlite:///dev.db", root: data/lakehouse,
        contracts: app.CONTRACTS}``

    Args:
        missing: What ``load`` does when there is no champion: ``error``, or ``none`` for state before the first
            promotion. A registry that cannot be reached always raises.
        **model: As of :class:`ModelRegistry`, and of :class:`PromotionLedger`: root, contracts, platform.
    """

    def __init__(self, *, missing: Literal["error", "none"] = "error", **model: Any) -> None:
        super().__init__(**model)
        self.missing = missing
        self._champion: Champion | None = None

    def load(self) -> Champion | None:
        """The champion, loaded; None when there is none and ``missing`` is ``none``.

        Raises:
            LedgerError: The ledger's chain is broken.
            RegistryError: There is none, alias and ledger differ, the registry cannot be reached, or the version's
                files were changed.
        """
        with _LOADING:
            if self._champion is None:
                self._champion = self._current()
        return self._champion

    def _current(self) -> Champion | None:
        found = current_champion(self.ledger, self.registry)
        if found is None and self.missing == "error":
            raise RegistryError(
                f"{self.registry.name} has no {CHAMPION}: train and promote a model first with "
                f"`kedro run --pipelines retrain`; if one was refused, ops.promotion_ledger holds the reasons, and "
                f"if one awaits its approval, `kedro approve` gives it."
            )
        return None if found is None else self.registry.load(found)

    def save(self, data: ModelReference | None) -> None:
        """Check that promotion's champion is the one that alias and ledger name.

        Raises:
            RegistryError: They name another one.
        """
        found = current_champion(self.ledger, self.registry)
        self._champion = None
        if found != data:
            raise RegistryError(
                f"{self.registry.name}: the champion is {found}, promotion left it at {data}: run "
                f"`kedro run --pipelines promotion` again."
            )

    def _exists(self) -> bool:
        return self.registry.aliased() is not None

    def _describe(self) -> dict[str, Any]:
        return {"name": f"{self.registry.name}@{CHAMPION}", "registry_uri": self.registry.registry_uri}


class Challengers(_LedgeredModel):
    """The versions that await an approval: they score in shadow beside the champion, and decide nothing.

    Example:
        As of :class:`RegisteredModel`.

    Args:
        **model: As of :class:`RegisteredModel`.
    """

    def __init__(self, **model: Any) -> None:
        super().__init__(**model)
        self._challengers: list[Champion] | None = None

    def load(self) -> list[Champion]:
        """The challengers, loaded and checked; none while no version awaits an approval. The same all through a run.

        One that cannot be had, or whose files were changed, is left out, and the log says so.

        Raises:
            LedgerError: The ledger's chain is broken.
        """
        with _LOADING:
            if self._challengers is None:
                self._challengers = list(self._waiting())
        return self._challengers

    def _waiting(self) -> Iterator[Champion]:
        for reference in current_challengers(self.ledger):
            try:
                yield self.registry.load(reference)
            except RegistryError as error:
                # One that nobody asked for any more, e.g. deleted, must not keep the champion from scoring.
                _log.warning("version %s does not score in shadow: %s", reference.version, error)

    def save(self, data: NoReturn) -> None:
        """Refused: promotion makes challengers."""
        raise DatasetError(f"{self.registry.name}: challengers cannot be saved")

    def _exists(self) -> bool:
        return True
