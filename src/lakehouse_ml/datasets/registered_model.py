"""The model registry as Kedro datasets: the model that an alias names, and the registry itself."""

from typing import Any, Literal, NoReturn

from kedro.io import AbstractDataset, DatasetError

from lakehouse_ml.registry import CHAMPION, Champion, ModelReference, Registry, RegistryError


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


class RegisteredModel(AbstractDataset[ModelReference | None, Champion | None]):
    """The version that an alias names.

    Loading gives the :class:`Champion`, its files checked against the digest that it was registered with.
    Saving takes the reference that promotion hands over and moves nothing: it checks that the alias names
    just that version.

    Example:
        ``ml_champion: {type: lakehouse_ml.datasets.RegisteredModel, catalog: dev, model_name: churn,
        registry_uri: "sqlite:///registry.db", tracking_uri: "sqlite:///dev.db"}``

    Args:
        alias: Alias of the version.
        missing: What ``load`` does when no version has the alias: ``error``, or ``none`` for state before the
            first promotion. A registry that cannot be reached always raises.
        **address: As of :class:`ModelRegistry`: catalog, model_name, registry_uri, tracking_uri.
    """

    def __init__(
        self,
        *,
        alias: str = CHAMPION,
        missing: Literal["error", "none"] = "error",
        metadata: dict[str, Any] | None = None,
        **address: Any,
    ) -> None:
        self.registry = ModelRegistry(**address).registry
        self.alias = alias
        self.missing = missing
        self.metadata = metadata

    def load(self) -> Champion | None:
        """The version with the alias, loaded; None when there is none and ``missing`` is ``none``.

        Raises:
            RegistryError: There is none, the registry cannot be reached, or the version's files were changed.
        """
        found = self.registry.aliased(self.alias)
        if found is not None:
            return self.registry.load(found)
        if self.missing == "none":
            return None
        raise RegistryError(
            f"{self.registry.name} has no {self.alias}: train and promote a model first with "
            f"`kedro run --pipelines retrain`; if one was refused, ops.promotion_ledger holds the reasons."
        )

    def save(self, data: ModelReference | None) -> None:
        """Check that the alias names the version that promotion left it at; None stands for no version.

        Raises:
            RegistryError: It names another one.
        """
        found = self.registry.aliased(self.alias)
        if found != data:
            raise RegistryError(
                f"{self.registry.name}@{self.alias} is {found}, promotion left it at {data}: something else "
                f"moved the alias; run `kedro run --pipelines promotion` again."
            )

    def _exists(self) -> bool:
        return self.registry.aliased(self.alias) is not None

    def _describe(self) -> dict[str, Any]:
        return {"name": f"{self.registry.name}@{self.alias}", "registry_uri": self.registry.registry_uri}
