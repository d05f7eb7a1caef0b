import logging
import subprocess
import sys

import pytest

from lakehouse_ml.quiet import NOISE, NOISY, is_news, quiet


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("py.warnings", logging.WARNING, __file__, 1, "%s", (message,), None)


@pytest.mark.parametrize("noise", NOISE)
def test_what_is_said_at_every_start_is_no_news(noise):
    assert not is_news(record(f"some/file.py:1: UserWarning: {noise} and so on"))


@pytest.mark.parametrize("name", NOISY)
def test_a_noisy_logger_lets_news_through_and_nothing_else(name):
    quiet()
    assert not logging.getLogger(name).filter(record(f"{NOISE[-1]} during partial pipeline runs"))
    assert logging.getLogger(name).filter(record("the disk is nearly full"))


def test_any_other_warning_is_news():
    assert is_news(record("some/file.py:1: UserWarning: the disk is nearly full"))


@pytest.mark.slow
def test_a_warning_of_any_other_kind_still_reaches_the_terminal():
    code = (
        "import warnings; from kedro.framework.project import LOGGING; from lakehouse_ml.quiet import quiet; "
        "quiet(); warnings.warn('the disk is nearly full')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "the disk is nearly full" in done.stdout + done.stderr
