"""What goes wrong, and when: values of a file, for a feed that plays it and a replay that shows what came of it."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator


def _utc(given: Any) -> datetime:
    moment = datetime.fromisoformat(str(given))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


Moment = Annotated[datetime, BeforeValidator(_utc)]


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
            raise ValueError(f"{self.name}: until must lie after from, is {self.end} and {self.start}")
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
    sources: tuple[str, ...]
    column: str
    values: dict[str, str]


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
    factor: float = Field(gt=0)


class Resent(Incident):
    """Every file comes again a day later, under another name.

    Attributes:
        sources: Whose files.
    """

    kind: Literal["resent"]
    sources: tuple[str, ...]


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
_FILE: TypeAdapter[tuple[AnyIncident, ...]] = TypeAdapter(tuple[AnyIncident, ...])


def read_incidents(text: str) -> tuple[FeedIncident | Poisoned, ...]:
    """The incidents of a YAML file in the order of time; none where it is empty.

    Raises:
        ValidationError: A value is missing, unknown or out of range.
    """
    return tuple(sorted(_FILE.validate_python(yaml.safe_load(text) or ()), key=lambda one: one.start))
