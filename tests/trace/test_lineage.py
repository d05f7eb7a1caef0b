import pytest

from lakehouse_ml.trace.entity import TraceError
from lakehouse_ml.trace.lineage import _data_of, refuse_copy
from promotion_builders import candidates

FILES = ["9 files, 900 lines: visits/a.jsonl.gz ... visits/z.jsonl.gz"]
COPIED = candidates(
    copied_from="staging.ml.lateness version 3",
    judged_versions={"gold.features": 9},
    input_versions={"gold.features": 3},
)


def test_a_copys_training_is_where_it_was_copied_from_and_its_judgement_here():
    assert _data_of(COPIED, FILES) == {
        "copied from staging.ml.lateness version 3": {
            "trained on 2013-01-01 to 2013-09-03, there": {
                "gold.features at version 3": {},
                "made from": {"silver.movements at version 4": {}, "silver.timetable at version 4": {}},
            }
        },
        "judged on 2013-09-03 to 2013-10-01, here": {
            "gold.features at version 9": {},
            "landed as": {FILES[0]: {}},
        },
    }


def test_what_was_trained_here_was_read_here():
    (told,) = _data_of(candidates(), FILES)
    assert told == "trained on 2013-01-01 to 2013-09-03, judged on 2013-09-03 to 2013-10-01"


def test_a_copy_is_rebuilt_where_its_silver_is():
    refuse_copy("1", candidates())
    with pytest.raises(
        TraceError, match=r"Version 1 was copied from staging\.ml\.lateness version 3: .* is there"
    ):
        refuse_copy("1", COPIED)
