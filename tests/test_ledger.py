from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_ml.ledger import GENESIS, LedgerError, LedgerState, hash_of, state_of
from ledger_builders import AS_OF, WALL, chain, entry

DECIDED = entry()
MOVED = chain(DECIDED).entries[0].followed_by("moved", ["the alias names version 1"])


def promotion(version, before, **changes):
    """A decision and its move, for a chain in which each promotion has two rows."""
    sequence = 2 * int(version) - 1
    known = {"model_version": version, "model_digest": version * 64, "subject": version * 64}
    decided = entry(**known, champion_before=before, champion_after=version, **changes)
    return decided, replace(decided, sequence=sequence).followed_by("moved", ["moved"])


def test_an_empty_ledger_has_no_champion():
    state = LedgerState()
    assert (state.sequence, state.champion, state.pending, state.judged_until) == (0, None, None, None)


def test_rows_are_numbered_and_chained_from_zeros():
    first, second = chain(DECIDED, MOVED).entries
    assert (first.sequence, first.previous_hash) == (1, GENESIS)
    assert (second.sequence, second.previous_hash, second.cause) == (2, first.row_hash, 1)
    assert (first.recorded_at, second.evidence) == (WALL, None)


def test_a_promotion_makes_a_champion_only_when_the_alias_moved():
    assert chain(DECIDED).champion is None
    assert chain(DECIDED).pending.sequence == 1
    done = chain(DECIDED, MOVED)
    assert (done.champion, done.champion_digest, done.pending) == ("1", "1" * 64, None)


def test_an_abandoned_move_leaves_the_champion_and_nothing_to_do():
    first = promotion("1", None)
    second = promotion("2", "1")[0]
    given_up = replace(second, sequence=3).followed_by("abandoned", ["other files"], champion_after="1")
    state = chain(*first, second, given_up)
    assert (state.champion, state.pending) == ("1", None)


@pytest.mark.parametrize("decision", ["refused", "awaiting_approval"])
def test_a_decision_that_moves_nothing_is_not_pending(decision):
    state = chain(entry(decision=decision, champion_after=None))
    assert (state.champion, state.pending, state.judged_until) == (None, None, None)


def test_an_approval_is_pending_until_the_alias_moved_and_counts_the_holdout():
    asked = entry(decision="awaiting_approval", champion_after=None)
    approved = replace(asked, sequence=1).followed_by("approved", ["fine"], champion_after="1")
    state = chain(asked, approved)
    assert (state.pending.event, state.judged_until) == ("approved", date(2013, 10, 1))


def test_the_former_champion_is_the_one_before_the_present():
    state = chain(*promotion("1", None), *promotion("2", "1"))
    assert (state.champion, state.former) == ("2", "1")
    assert chain(*promotion("1", None)).former is None


def moves_to(*moves):
    """A ledger of promotions (the version) and roll-backs (``"<" + version``), each a decision and its move."""
    rows, before = [], None
    for move in moves:
        version = move.removeprefix("<")
        decided = entry(
            decision="rolled_back" if move.startswith("<") else "promoted",
            model_version=version,
            model_digest=hash_of(version),
            champion_before=before,
            champion_after=version,
        )
        moved = replace(decided, sequence=len(rows) + 1).followed_by("moved", ["moved"])
        rows, before = [*rows, decided, moved], version
    return chain(*rows)


@pytest.mark.parametrize(
    ("moves", "former"),
    [
        ("1", None),
        ("1 2 3", "2"),
        # The second roll-back is no way forward to what the first took back.
        ("1 2 <1", None),
        ("1 2 3 <2", "1"),
        ("1 2 3 <2 <1", None),
        ("1 2 3 <1", None),
        ("1 2 <1 3", "1"),
        ("1 2 3 <2 4 <2", "1"),
        ("1 2 <1 <2", None),
        # Promoted again after a new evaluation.
        ("1 2 <1 2", "1"),
        ("1 2 <1 2 3", "2"),
        ("1 2 3 1", "3"),
    ],
)
def test_the_former_champion_is_never_one_that_was_taken_back(moves, former):
    assert moves_to(*moves.split()).former == former


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5)), min_size=1, max_size=12))
def test_roll_backs_without_a_name_lead_back_and_end(drawn):
    made = []
    for is_back, number in drawn:
        known = [move.removeprefix("<") for move in made]
        back = is_back and str(number) in known and str(number) != known[-1]
        made += [f"<{number}" if back else str(number)] if back or str(number) not in known[-1:] else []
    state, seen = moves_to(*made), []
    while state.former is not None:
        seen.append(state.champion)
        assert state.taken_back(hash_of(state.former)) is None
        made.append(f"<{state.former}")
        state = moves_to(*made)
        assert state.champion not in seen


def test_a_model_that_was_rolled_back_is_taken_back_until_it_is_promoted_again():
    then = AS_OF + timedelta(days=3)
    back = entry(
        decision="rolled_back", as_of=then, model_digest="1" * 64, champion_before="2", champion_after="1"
    )
    moved_back = replace(back, sequence=5).followed_by("moved", ["moved"])
    state = chain(*promotion("1", None), *promotion("2", "1"), back, moved_back)
    assert state.champion == "1"
    assert state.taken_back("2" * 64).as_of == then
    assert state.taken_back("1" * 64) is None
    again = entry(model_version="2", model_digest="2" * 64, champion_before="1", champion_after="2")
    came_back = replace(again, sequence=7).followed_by("moved", ["moved"])
    assert chain(*state.entries, again, came_back).taken_back("2" * 64) is None


CHAIN = chain(*promotion("1", None), *promotion("2", "1")).entries


def test_a_whole_chain_has_no_fault():
    assert LedgerState(CHAIN).faults == []


@given(
    st.integers(0, 3), st.sampled_from(["actor", "git_commit", "model_digest", "champion_after", "subject"])
)
def test_a_changed_row_is_found(place, column):
    rows = list(CHAIN)
    rows[place] = replace(rows[place], **{column: "changed"})
    assert any(f"row {place + 1} was changed" in fault for fault in LedgerState(tuple(rows)).faults)


@given(st.integers(0, 2))
def test_a_removed_row_is_found(place):
    rows = (*CHAIN[:place], *CHAIN[place + 1 :])
    assert LedgerState(rows).faults


@given(st.integers(0, 3))
def test_a_row_that_was_written_anew_with_its_own_hash_breaks_the_chain_after_it(place):
    forged = replace(CHAIN[place], reasons=("better",))
    forged = forged.chained(CHAIN[place - 1] if place else None, WALL)
    faults = LedgerState((*CHAIN[:place], forged, *CHAIN[place + 1 :])).faults
    # Of the newest row only the alias and the files can tell, until another row follows.
    assert bool(faults) == (place < len(CHAIN) - 1)


def test_changed_evidence_is_found():
    rows = chain(entry(evidence="{}", evidence_hash=hash_of("[]")))
    assert rows.faults == ["row 1 holds other evidence than was judged"]


def test_a_broken_chain_is_refused_by_name():
    rows = [CHAIN[0], replace(CHAIN[1], actor="somebody else"), *CHAIN[2:]]
    with pytest.raises(LedgerError, match=r"row 2 was changed.*kedro ledger verify"):
        state_of(rows)


@given(st.permutations(CHAIN))
def test_rows_may_be_read_in_any_order(rows):
    assert state_of(rows).champion == "2"
