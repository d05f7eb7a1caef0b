"""The models that are compared."""

from dataclasses import dataclass
from datetime import date
from typing import Any, NoReturn

import pandas as pd

from lakehouse_ml.model_files import RegistryError, candidate_folder, load_candidate, model_digest
from lakehouse_ml.registry import Champion

CHAMPION = "champion"


@dataclass(frozen=True)
class Unreadable:
    """Stands in for a candidate that cannot be loaded: it scores nothing, and says why."""

    fault: str

    def predict(self, frame: pd.DataFrame) -> NoReturn:
        """Raises.

        Raises:
            RegistryError: Always.
        """
        raise RegistryError(self.fault)


@dataclass(frozen=True)
class Measured:
    """A model that is measured.

    Attributes:
        role: ``baseline``, ``challenger`` or ``champion``.
        digest: SHA-256 over its files.
        model: ``predict(frame) -> probability of the positive class``.
        threshold: Cost-optimal threshold.
        training_rate: Share of positive training rows.
        trained_until: Day after its last training day, UTC.
    """

    role: str
    digest: str
    model: Any
    threshold: float
    training_rate: float
    trained_until: date


def compared_models(candidates: dict[str, Any], champion: Champion | None) -> dict[str, Measured]:
    """The candidates and, where there is one, the champion, by role.

    Args:
        candidates: ``ml_candidates``.
        champion: ``before_ml_champion``; None before the first promotion.

    Returns:
        By role; a candidate that cannot be loaded scores nothing, so that promotion refuses it.

    Raises:
        RegistryError: A candidate's files are not those that training handed over.
    """
    found = {role: _candidate(role, candidates) for role in candidates["models"]}
    if champion is not None:
        found[CHAMPION] = Measured(
            role=CHAMPION,
            digest=champion.digest,
            model=champion.model,
            threshold=champion.threshold,
            training_rate=champion.base_rate,
            trained_until=champion.trained_until,
        )
    return found


def _candidate(role: str, candidates: dict[str, Any]) -> Measured:
    handed_over = candidates["models"][role]
    digest = model_digest(candidate_folder(handed_over["uri"]))
    if digest != handed_over["digest"]:
        raise RegistryError(
            f"{role} {handed_over['uri']}: its files have digest {digest}, training handed over "
            f"{handed_over['digest']}; run `kedro run --pipelines training` again"
        )
    return Measured(
        role=role,
        digest=digest,
        model=_loaded(handed_over["uri"]),
        threshold=handed_over["threshold"],
        training_rate=handed_over["base_rate"],
        trained_until=date.fromisoformat(candidates["train_end"]),
    )


def _loaded(uri: str) -> Any:
    try:
        return load_candidate(uri)
    except Exception as error:
        # Whatever its files do when they are read: promotion tries them out too, and puts the reason on record.
        return Unreadable(str(error))
