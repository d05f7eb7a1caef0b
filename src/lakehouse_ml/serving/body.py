"""The body of a request: MLflow's scoring protocol, in the two forms that hold rows by column name."""

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from lakehouse_ml.serving.errors import RequestError

SPLIT, RECORDS, CLIENT_REQUEST_ID = "dataframe_split", "dataframe_records", "client_request_id"
FORMS = f"Send one of {SPLIT} and {RECORDS}, and {CLIENT_REQUEST_ID} if you like."

# Text that looks like JSON would be no text to ingestion.
_CLIENT_NAME = re.compile(r"[\w .:/@-]{1,128}")

Table = dict[str, list[Any]]


@dataclass(frozen=True)
class Body:
    """What a request says.

    Attributes:
        table: JSON values by column; NaN, which pandas writes for a missing value, is None.
        client_request_id: The caller's own name for the request.
    """

    table: Table
    client_request_id: str | None


def read_body(content: bytes) -> Body:
    """The body's rows by column.

    Raises:
        RequestError: It is no JSON, not in one of the two forms, or has no rows.
    """
    said = _decoded(content)
    if not isinstance(said, dict):
        raise RequestError(f"The body is no JSON object. {FORMS}")
    unknown = sorted(set(said) - {SPLIT, RECORDS, CLIENT_REQUEST_ID})
    if unknown or (SPLIT in said) == (RECORDS in said):
        found = ", ".join(sorted(said)) or "nothing"
        raise RequestError(f"The body has {found:.200}. {FORMS}")
    name = said.get(CLIENT_REQUEST_ID)
    if not (name is None or (isinstance(name, str) and _CLIENT_NAME.fullmatch(name))):
        raise RequestError(f"{CLIENT_REQUEST_ID}: must be {_CLIENT_NAME.pattern}, is {name!r:.60}")
    table = _split(said[SPLIT]) if SPLIT in said else _records(said[RECORDS])
    return Body(table, name)


def _decoded(content: bytes) -> Any:
    try:
        return _DECODER.decode(content.decode())
    except RecursionError:
        raise RequestError("The body is nested too deep: a row is flat") from None
    except ValueError as error:
        raise RequestError(f"The body is no JSON in UTF-8: {error}. {FORMS}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{name:.60} stands twice in one object")
    return found


_CONSTANTS = {"NaN": None, "Infinity": math.inf, "-Infinity": -math.inf}
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_CONSTANTS.__getitem__)


def _split(said: Any) -> Table:
    if not isinstance(said, dict) or not {"columns", "data"} <= set(said) <= {"columns", "data", "index"}:
        raise RequestError(f"{SPLIT}: must hold columns and data, as pandas' to_dict('split') does")
    columns, rows = said["columns"], said["data"]
    if not _is_list_of(columns, str) or len(set(columns)) < len(columns):
        raise RequestError(f"{SPLIT}.columns: must be names, each once")
    if not _is_list_of(rows, list) or not rows:
        raise RequestError(f"{SPLIT}.data: must be a list of one or more rows, each a list of values")
    lengths = list(map(len, rows))
    if set(lengths) != {len(columns)}:
        number = next(place for place, length in enumerate(lengths) if length != len(columns))
        raise RequestError(
            f"{SPLIT}.data: row {number + 1} has {lengths[number]} values for {len(columns)} columns"
        )
    return {name: list(values) for name, values in zip(columns, zip(*rows, strict=True), strict=True)}


def _records(rows: Any) -> Table:
    if not _is_list_of(rows, dict) or not rows:
        raise RequestError(f"{RECORDS}: must be a list of one or more rows, each an object by column name")
    names = rows[0].keys()
    for number, row in enumerate(rows, start=1):
        if row.keys() != names:
            other = ", ".join(sorted(row.keys() ^ names))
            raise RequestError(f"{RECORDS}: row {number} differs from row 1 by {other:.200}")
    return {name: [row[name] for row in rows] for name in names}


def _is_list_of(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(type(value) is kind for value in values)
