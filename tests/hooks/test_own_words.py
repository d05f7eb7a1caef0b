"""Of an error that ended a run the words of this package are kept, and those of others are not."""

import pytest

from lakehouse_ml.hooks.own_words import kinds, own_words
from lakehouse_ml.pipelines.monitoring.alerts import DriftParams
from lakehouse_ml.pipelines.monitoring.findings import owner_of

TAIL = "N14228"
SECRET = "https://hooks.example.org/T0/B0/planted"  # pragma: allowlist secret


def raised(work, *args) -> Exception:
    try:
        work(*args)
    except Exception as error:
        return error
    raise AssertionError(f"{work} did not fail")


def load(work, *args):
    """Fails as a dataset does: Kedro wraps what went wrong, and quotes it."""
    try:
        work(*args)
    except Exception as error:
        raise OSError(f"Failed while loading: {error}") from error


def quote(text):
    raise ValueError(f"no such aircraft: {text}")


def nobody():
    owner_of({"model": "ml"}, "data")


@pytest.mark.parametrize("fail", [(nobody,), (load, nobody)], ids=["bare", "wrapped"])
def test_what_this_package_says_is_kept(fail):
    assert own_words(raised(*fail)).startswith("owners: nobody answers for 'data'; name one")


@pytest.mark.parametrize("value", [TAIL, SECRET])
@pytest.mark.parametrize("fail", [(quote,), (int,), (load, quote)], ids=["raised", "built in", "wrapped"])
def test_what_others_say_is_not(fail, value):
    error = raised(*fail, value)
    assert value in str(error)
    assert own_words(error) == ""


def test_what_a_library_says_of_our_own_call_is_not_ours():
    error = raised(lambda: DriftParams.model_validate({"rules": TAIL}))
    assert TAIL in str(error)
    assert own_words(error) == ""


def test_what_we_quote_of_others_is_left_out():
    code = compile(
        "def work(value):\n"
        "    try: int(value)\n"
        "    except ValueError as error: raise RuntimeError(f'row 3: {error}; land it anew') from error\n",
        "made_up.py",
        "exec",
    )
    ours = {"__name__": "lakehouse_ml.made_up"}
    exec(code, ours)
    assert own_words(raised(ours["work"], TAIL)) == "row 3: ValueError; land it anew"


def test_an_error_that_nobody_raised_has_no_words():
    assert own_words(ValueError(TAIL)) == ""


def test_every_error_on_the_way_is_named():
    assert kinds(raised(load, int, TAIL)) == "OSError from ValueError"


def test_an_error_that_is_its_own_cause_is_told_once():
    error = raised(quote, TAIL)
    error.__cause__ = error
    assert (kinds(error), own_words(error)) == ("ValueError", "")
