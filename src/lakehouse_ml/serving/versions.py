"""The versions that score: the champion as the alias moves, and the challenger of a canary."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from lakehouse_ml.model_files import RegistryError
from lakehouse_ml.registry import CHAMPION, Champion, ModelReference, Registry


@dataclass(frozen=True)
class Served:
    """Who scores. A request takes it once, so that a move never falls into the middle of a request.

    Attributes:
        champion: The version that the alias named last and that could be loaded.
        challenger: The version that a share of the keys goes to; None: none does.
        percent: That share, 0..100.
        fault: Why the champion is not the one that the alias names now; empty: it is.
    """

    champion: Champion
    challenger: Champion | None = None
    percent: float = 0.0
    fault: str = ""


class Versions:
    """Follows the alias.

    Only the registry is asked, since that needs no Spark. The ledger is compared with the alias where it can be:
    promotion writes it before it moves the alias, and batch inference refuses an alias that differs from it. Here the
    alias must name a version whose files have the digest that promotion registered.

    Args:
        registry: The environment's registry.
        features: Columns that requests carry.
        percent: Share of the keys that goes to the challenger, 0..100; 0: there is none.
        challenger: Its version. The registry does not tell which ones were refused or taken back, so a person names it.

    Raises:
        RegistryError: There is no champion or no such challenger, or one of them cannot be served.
    """

    def __init__(
        self,
        registry: Registry,
        features: Collection[str],
        percent: float = 0.0,
        challenger: str | None = None,
    ) -> None:
        self._registry = registry
        self._features = frozenset(features)
        champion = self._load(self._named())
        self.served = Served(champion)
        if percent:
            # Chosen once, by whoever starts the canary: a version that is taken back must not become one by itself.
            chosen = self._load(self._challenger(champion, challenger))
            self.served = Served(champion, chosen, percent)

    def follow(self) -> None:
        """Serve the version that the alias names now; one that cannot be served leaves the old one, with the fault."""
        try:
            self.served = self._followed(self.served)
        except Exception as error:
            # Whatever a new version does, the old one serves on; ping tells why.
            self.served = replace(self.served, fault=str(error) or repr(error))

    def _followed(self, served: Served) -> Served:
        named = self._named()
        if named == ModelReference(served.champion.version, served.champion.digest):
            return replace(served, fault="")
        champion, challenger = self._load(named), served.challenger
        if challenger is not None and challenger.version == champion.version:
            return Served(champion)
        return replace(served, champion=champion, fault="")

    def _named(self) -> ModelReference:
        named = self._registry.aliased()
        if named is None:
            raise RegistryError(
                f"{self._registry.name} has no {CHAMPION}: train and promote a model first with "
                f"`kedro run --pipelines retrain`"
            )
        return named

    def _challenger(self, champion: Champion, wanted: str | None) -> ModelReference:
        if wanted in (None, champion.version):
            others = ", ".join(name for name in self._registry.versions() if name != champion.version)
            raise RegistryError(
                f"{self._registry.name}: no canary without a challenger: asked for is {wanted or 'none'}, the champion "
                f"is {champion.version}; name another version with --challenger ({others or 'there is none'}; "
                f"`kedro ledger show` tells what became of each), or leave --canary out"
            )
        return self._registry.reference(str(wanted))

    def _load(self, reference: ModelReference) -> Champion:
        loaded = self._registry.load(reference)
        absent = [name for name in loaded.feature_names if name not in self._features]
        if absent:
            raise RegistryError(
                f"{self._registry.name} version {loaded.version} reads {', '.join(absent)}, which no feature contract "
                f"has: promote a model of today's features with `kedro run --pipelines retrain`"
            )
        return loaded
