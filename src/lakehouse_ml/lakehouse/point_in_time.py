"""What was known at an instant: of several revisions of a record, the latest published by then."""

from datetime import timedelta

import numpy as np
import numpy.typing as npt

from lakehouse_ml.lakehouse.event_sums import Integers, joint_codes

MICROSECOND = timedelta(microseconds=1)
Strings = npt.NDArray[np.object_]


def micros(duration: timedelta) -> int:
    """The duration in microseconds."""
    return duration // MICROSECOND


def known_until(record: Integers, published: Integers, revision: Strings, lookback: timedelta) -> Integers:
    """End of the time for which each revision is the latest known, exclusive, shape (n_revisions,).

    A revision is known from its publication until the next revision of its record, and never longer than the
    lookback. Of several published at once the one with the highest ``_revision`` counts; the others end at once.

    Args:
        record: Code of the record that the row is a revision of.
        published: ``published_at`` in microseconds.
        revision: ``_revision``, the tie-break.
        lookback: How long after its publication a revision may be used.
    """
    order = _in_order_of_publication(record, published, revision)
    ends = published + micros(lookback)
    same_record = record[order][1:] == record[order][:-1]
    earlier, later = order[:-1][same_record], order[1:][same_record]
    ends[earlier] = np.minimum(ends[earlier], published[later])
    return ends


def _in_order_of_publication(record: Integers, published: Integers, revision: Strings) -> Integers:
    order = np.lexsort((published, record))
    tied = (np.diff(record[order]) == 0) & (np.diff(published[order]) == 0)
    if not tied.any():
        # Ranking a million hashes costs more than all the rest, and ties are rare.
        return order
    return np.lexsort((np.unique(revision.astype(str), return_inverse=True)[1], published, record))


def as_of(group: Integers, at: Integers, asked_group: Integers, asked_at: Integers) -> Integers:
    """Position of the last row of the same group with ``at <= asked_at``, shape (n_asked,); -1 where there is none.

    Of several rows with the same instant the last one counts.

    Args:
        group: Group of each row.
        at: Instant of each row.
        asked_group: Group of each question.
        asked_at: Instant of each question.
    """
    keys, asked = joint_codes([group, asked_group], [at, asked_at])
    order = np.argsort(keys, kind="stable")
    found = np.searchsorted(keys[order], asked, side="right") - 1
    positions = np.where(found >= 0, order[found] if order.size else -1, -1)
    is_same_group = (positions >= 0) & (group[positions] == asked_group if group.size else False)
    return np.where(is_same_group, positions, -1)
