import os
import signal
import subprocess
import sys

import pytest

from lakehouse_ml.hooks.session import RunLockedError, take_lock

HOLD = """
import sys, time
from pathlib import Path
from lakehouse_ml.hooks.session import take_lock
lock = take_lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_a_second_run_is_refused_while_another_process_holds_the_lock_and_free_once_that_is_killed(tmp_path):
    folder = tmp_path / "staging"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunLockedError) as refused:
            take_lock(folder)
        assert "Another run is at work in environment staging" in str(refused.value)
        assert "wait until it ends" in str(refused.value)
        take_lock(tmp_path / "dev").release()
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    take_lock(folder).release()


def test_a_released_lock_can_be_taken_again(tmp_path):
    take_lock(tmp_path).release()
    take_lock(tmp_path).release()


TRY = """
import sys
from pathlib import Path
from lakehouse_ml.hooks.session import RunLockedError, take_lock
try:
    take_lock(Path(sys.argv[1]))
    print("taken")
except RunLockedError:
    print("refused")
"""


def tried_by_another_process(folder) -> str:
    return subprocess.run(
        [sys.executable, "-c", TRY, str(folder)], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.slow
def test_a_command_keeps_the_lock_when_the_run_that_it_started_ends(tmp_path):
    command, run = take_lock(tmp_path), take_lock(tmp_path)
    run.release()
    assert tried_by_another_process(tmp_path) == "refused"
    command.release()
    assert tried_by_another_process(tmp_path) == "taken"
