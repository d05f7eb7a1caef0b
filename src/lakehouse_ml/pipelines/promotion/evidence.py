"""Everything that a promotion decision rests on, as plain values."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from lakehouse_ml.probe import Probe

BASELINE, CHALLENGER, CHAMPION = "baseline", "challenger", "champion"
EVERYTHING = ("all", "all")


class _Trained(BaseModel):
    model_config = ConfigDict(frozen=True)


class Candidate(_Trained):
    """A model as training handed it over.

    Attributes:
        uri: ``models:/<model id>``.
        digest: SHA-256 over its files.
        threshold: Cost-optimal threshold.
        base_rate: Share of positive training rows.
        train_rows: Training rows.
        params: Hyper-parameters.
        rounds: Boosting rounds; None for a model without.
        warnings: What training found odd, e.g. a best value on a bound.
    """

    uri: str
    digest: str
    threshold: float
    base_rate: float
    train_rows: int
    params: dict[str, Any]
    rounds: int | None = None
    warnings: tuple[str, ...] = ()


class Trained(_Trained):
    """``ml_candidates``: the models of one training and all that made them. Days UTC, ends exclusive."""

    run_id: str
    as_of: AwareDatetime
    mlflow_run_id: str
    train_start: date
    train_end: date
    holdout_start: date
    holdout_end: date
    label_cutoff: AwareDatetime
    label_wait_hours: float
    seed: int
    input_versions: dict[str, int]
    source_versions: dict[str, int]
    git_commit: str
    pins_hash: str
    feature_fingerprint: str
    copied_from: str | None = None
    copied_digest: str | None = None
    judged_versions: dict[str, int] | None = None
    models: dict[str, Candidate] = Field(min_length=1)

    def facts(self, role: str) -> dict[str, str]:
        """What the files of a role's model must say about its training, as text, by name of ``FACTS``."""
        model = self.models[role]
        return {
            "base_rate": str(model.base_rate),
            "feature_fingerprint": self.feature_fingerprint,
            "role": role,
            "threshold": str(model.threshold),
            "trained_from": str(self.train_start),
            "trained_until": str(self.train_end),
        }


@dataclass(frozen=True)
class Measurement:
    """One row of ``ml.evaluations``: a metric of a role, or its difference to another role's."""

    role: str
    compared_to: str
    slice: str
    slice_value: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    rows: int
    positives: int
    days: int
    model_digest: str
    compared_digest: str
    holdout_start: date
    holdout_end: date
    keys_digest: str | None

    @property
    def is_overall(self) -> bool:
        """Whether it covers the whole holdout."""
        return (self.slice, self.slice_value) == EVERYTHING


@dataclass(frozen=True)
class Incumbent:
    """The champion that the candidates were compared to."""

    version: str
    digest: str
    trained_until: date


@dataclass(frozen=True)
class Standing:
    """What ``ops.promotion_ledger`` said before the decision.

    Attributes:
        sequence: Newest sequence; 0: no row.
        champion: Version that its newest move left the alias at; None: none.
        champion_digest: Digest that this version was promoted with.
        judged_until: Day after the newest holdout day that promoted a model; None: no promotion yet.
        taken_back: The now (UTC) of the newest roll-back from a candidate, by digest.
    """

    sequence: int = 0
    champion: str | None = None
    champion_digest: str | None = None
    judged_until: date | None = None
    taken_back: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Declared:
    """The labelled rows of the holdout, counted in gold as it was when training read it; and which, by their keys."""

    rows: int
    positives: int
    labelled_days: tuple[date, ...]
    keys_digest: str


@dataclass(frozen=True)
class Landed:
    """Lines of a source, and how many of them were rejected."""

    source: str
    lines: int
    quarantined: int

    @property
    def rejected(self) -> float:
        """Share of rejected lines, 0..1."""
        return self.quarantined / self.lines


@dataclass(frozen=True)
class DataRecord:
    """``ops.ingestion_log`` and ``ops.alerts`` of what was known at the decision.

    Attributes:
        files: Files.
        learned_from: First training day, UTC.
        landed: By source, the lines of files that cover what the models learned from and are judged on: from that day
            to the decision. A source without any is left out.
        unbalanced: Files whose lines do not add up.
        rejected_files: Files of the last days that are rejected as a whole.
        open_alerts: Rule and subject of every open alert about the data.
        newest: Source, and end of its newest period with data (UTC).
    """

    files: int
    learned_from: date
    landed: tuple[Landed, ...]
    unbalanced: tuple[str, ...]
    rejected_files: tuple[str, ...]
    open_alerts: tuple[tuple[str, str], ...]
    newest: tuple[tuple[str, datetime], ...]


@dataclass(frozen=True)
class Recorded:
    """What the tables say, without the help of training and evaluation."""

    declared: Declared
    data: DataRecord


@dataclass(frozen=True)
class Tried:
    """The candidates, looked at and tried out.

    Attributes:
        trained: As training handed them over.
        faults: What is wrong with a candidate's files, by role; absent: nothing.
        probes: What came of trying it in a process of its own, by role.
        features: Name and type of each feature, as the contracts have them.
    """

    trained: Trained
    faults: dict[str, str]
    probes: dict[str, Probe]
    features: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Evidence:
    """What is known about the candidates and the champion.

    Attributes:
        as_of: The deciding run's now, UTC.
        trained: The candidates.
        faults: What is wrong with a candidate's files, by role; absent: nothing.
        incumbent: The champion; None before the first promotion.
        measurements: Rows of the evaluation, in no order that counts.
        standing: The ledger before the decision.
        declared: The rows that were to be evaluated.
        probes: What came of trying out each candidate, by role.
        data: What came in.
        features: Name and type of each feature, as the contracts have them.
    """

    as_of: datetime
    trained: Trained
    faults: dict[str, str]
    incumbent: Incumbent | None
    measurements: tuple[Measurement, ...]
    standing: Standing
    declared: Declared
    probes: dict[str, Probe]
    data: DataRecord
    features: tuple[tuple[str, str], ...]

    @cached_property
    def digests(self) -> dict[str, str]:
        """Digest by compared role."""
        found = {role: model.digest for role, model in sorted(self.trained.models.items())}
        return found if self.incumbent is None else {**found, CHAMPION: self.incumbent.digest}

    @property
    def subject(self) -> str:
        """SHA-256 over the evaluation's run and the candidates' digests: what is decided once."""
        models = {role: model.digest for role, model in self.trained.models.items()}
        return fingerprint(canonical([self.trained.run_id, models]))

    @cached_property
    def overall(self) -> tuple[Measurement, ...]:
        """The measurements of these very models over the whole holdout."""
        return tuple(m for m in self.measurements if m.is_overall and self.concerns(m))

    @cached_property
    def slices(self) -> tuple[Measurement, ...]:
        """The differences between these very models on the slices."""
        return tuple(m for m in self.measurements if not m.is_overall and m.compared_to and self.concerns(m))

    def concerns(self, measured: Measurement) -> bool:
        """Whether it measured the very files that are decided on, not those of another training of the run."""
        known = {**self.digests, "": ""}
        wanted = (known.get(measured.role), known.get(measured.compared_to))
        return (measured.model_digest, measured.compared_digest) == wanted

    def find(self, role: str, metric: str, compared_to: str = "") -> list[Measurement]:
        """The measurements of a metric over the whole holdout: one, when all is in order."""
        wanted = (role, metric, compared_to)
        return [m for m in self.overall if (m.role, m.metric, m.compared_to) == wanted]

    @property
    def plain(self) -> dict[str, Any]:
        """JSON-ready and the same for any order of the measurements."""
        content = {**asdict(self), "trained": self.trained.model_dump(mode="json")}
        rows = sorted((asdict(m) for m in (*self.overall, *self.slices)), key=canonical)
        return dict(json.loads(canonical({**content, "measurements": rows})))


def canonical(content: Any) -> str:
    """JSON that is equal for equal content; numbers that JSON does not know stand as words."""
    return json.dumps(_wordy(content), sort_keys=True, default=str, allow_nan=False)


def _wordy(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _wordy(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_wordy(value) for value in content]
    is_odd = isinstance(content, float) and content - content != 0
    return repr(content) if is_odd else content


def fingerprint(text: str) -> str:
    """SHA-256 (hex) of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
