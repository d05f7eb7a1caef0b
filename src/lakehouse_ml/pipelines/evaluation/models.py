"""The models that are compared."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from lakehouse_ml.model_files import RegistryError, candidate_folder, load_candidate, model_digest
from lakehouse_ml.registry import Champion

CHAMPION = "champion"


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

    Raises:
        RegistryError: A candidate cannot be loaded, or its files are not those that training handed over.
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
        model=load_candidate(handed_over["uri"]),
        threshold=handed_over["threshold"],
        training_rate=handed_over["base_rate"],
        trained_until=date.fromisoformat(candidates["train_end"]),
    )
