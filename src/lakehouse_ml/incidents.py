"""What goes wrong, and when: values of a file, for a feed that plays it and a replay that shows what came of it."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from lakehouse_ml.lakehouse.contract import Contract
from lakehouse_ml.lakehouse.sources import record_fields


class IncidentError(ValueError):
    """A file of incidents has mistakes; the message tells of each its place, the value and what it may be."""


def _utc(given: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(str(given))
    except ValueError as error:
        raise ValueError("must be a moment such as 2013-05-25 or 2013-05-25T12:00") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


Moment = Annotated[datetime, BeforeValidator(_utc)]
Sources = Annotated[tuple[str, ...], Field(min_length=1)]


class Incident(BaseModel):
    """Something that goes wrong.

    Attributes:
        name: In words.
        start: ``from``: first moment of publication that is hit, UTC.
        end: ``until``: first moment that is sound again, UTC.
        noticed_by: Names of the alert rules that should tell.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str
    start: Moment = Field(alias="from")
    end: Moment = Field(alias="until")
    noticed_by: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _lasts(self) -> "Incident":
        if self.end <= self.start:
            raise ValueError(f"until must lie after from, is {self.end} and {self.start}")
        return self


class Silent(Incident):
    """A source says nothing; the files that are missing arrive with the first one after the silence.

    Attributes:
        source: The source.
    """

    kind: Literal["silent"]
    source: str


class Renamed(Incident):
    """A value is another one.

    Attributes:
        sources: Whose records.
        column: The field.
        values: New value by old one.
    """

    kind: Literal["renamed"]
    sources: Sources
    column: str
    values: dict[str, str] = Field(min_length=1)


class Scaled(Incident):
    """A number is given in another unit, and corrected at the end.

    Attributes:
        source: Whose records.
        column: The field.
        factor: Of the new unit.
    """

    kind: Literal["scaled"]
    source: str
    column: str
    factor: float = Field(gt=0, allow_inf_nan=False)


class Resent(Incident):
    """Every file comes again a day later, under another name.

    Attributes:
        sources: Whose files.
    """

    kind: Literal["resent"]
    sources: Sources


class Poisoned(Incident):
    """Somebody trains a model on rows whose labels are partly inverted, and asks for its promotion at ``from``.

    Attributes:
        inverted_share: Of the training rows, 0..1.
    """

    kind: Literal["poisoned"]
    inverted_share: float = Field(gt=0, le=1)

    def is_due(self, before: datetime | None, as_of: datetime) -> bool:
        """Whether it happens in the step that ends at ``as_of``, after the one that ended ``before``."""
        return self.start <= as_of and (before is None or before < self.start)


FeedIncident = Silent | Renamed | Scaled | Resent
AnyIncident = Annotated[FeedIncident | Poisoned, Field(discriminator="kind")]
# Spark SQL types of the columns that can go wrong in this way.
_TEXTS, _NUMBERS = ("string",), ("int", "bigint", "float", "double")
_FILE: TypeAdapter[tuple[AnyIncident, ...]] = TypeAdapter(tuple[AnyIncident, ...])


def read_incidents(text: str) -> tuple[FeedIncident | Poisoned, ...]:
    """The incidents of a YAML file in the order of time; none where it is empty.

    Raises:
        IncidentError: It is no YAML, or values are missing, unknown or out of range.
    """
    try:
        # Values as text: YAML would refuse a day that does not exist without telling whose it is.
        given = yaml.load(text, yaml.BaseLoader) or ()
        found = _FILE.validate_python(given)
    except yaml.YAMLError as error:
        raise IncidentError(" ".join(str(error).split())) from error
    except ValidationError as error:
        raise IncidentError("; ".join(_told(given, one) for one in error.errors())) from error
    return tuple(sorted(found, key=lambda one: one.start))


def _told(given: Any, mistake: Mapping[str, Any]) -> str:
    """Whose value, what it must be, and what it is."""
    place, value = mistake["loc"], mistake["input"]
    whose = _name(given[place[0]], int(place[0])) if place else "the file"
    # What follows the incident's number is its kind.
    field = ".".join(map(str, place[2:]))
    words = mistake["msg"].removeprefix("Value error, ")
    return ": ".join(part for part in (whose, field, words) if part) + _is(value)


def _name(given: Any, number: int) -> str:
    named = given.get("name") if isinstance(given, Mapping) else None
    return str(named or f"incident {number + 1}")


def _is(value: object) -> str:
    # A whole incident, or all of them, would tell nothing.
    return f", is {value!r}" if isinstance(value, str) else ""


def check_incidents(
    incidents: Iterable[FeedIncident | Poisoned], sources: Sequence[Contract], rules: Collection[str]
) -> None:
    """Make sure that incidents name only what there is, and that their columns can go wrong in this way.

    Args:
        incidents: What goes wrong.
        sources: Contracts of the use case's sources.
        rules: Names of the alert rules.

    Raises:
        IncidentError: Naming every source, column and rule that does not fit.
    """
    contracts = {source.name: source for source in sources}
    mistakes = [told for incident in incidents for told in _misnamed(incident, contracts, rules)]
    if mistakes:
        raise IncidentError("; ".join(mistakes))


def _misnamed(
    incident: FeedIncident | Poisoned, contracts: Mapping[str, Contract], rules: Collection[str]
) -> Iterator[str]:
    field, sources = _sources(incident)
    yield from _unknown(f"{incident.name}: {field}", sources, contracts)
    yield from _unknown(f"{incident.name}: noticed_by", incident.noticed_by, rules)
    known = [contracts[source] for source in sources if source in contracts]
    if isinstance(incident, Renamed):
        yield from _unfit(incident, known, "text", _TEXTS)
    if isinstance(incident, Scaled):
        yield from _unfit(incident, known, "number", _NUMBERS)


def _sources(incident: FeedIncident | Poisoned) -> tuple[str, tuple[str, ...]]:
    """The field that names sources, and what it names."""
    if isinstance(incident, Poisoned):
        return "", ()
    if isinstance(incident, Silent | Scaled):
        return "source", (incident.source,)
    return "sources", incident.sources


def _unknown(place: str, names: Iterable[str], known: Collection[str]) -> Iterator[str]:
    for name in names:
        if name not in known:
            yield f"{place}: must be one of {', '.join(known)}, is {name!r}"


def _unfit(
    incident: Renamed | Scaled, sources: Iterable[Contract], kind: str, types: Collection[str]
) -> Iterator[str]:
    for source in sources:
        fit = [column.name for column in record_fields(source) if column.type in types]
        place = f"{incident.name}: column: must be a {kind} of {source.name}"
        if incident.column not in fit:
            yield f"{place} ({', '.join(fit) or 'it has none'}), is {incident.column!r}"
