"""What a person sees of a run: a bar on a terminal that is gone when the run is, and nothing of it in a log."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from lakehouse_ml.hooks import ProgressHooks

SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"
TERMINAL = {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "100"}


def keep(given: int) -> int:
    return given


def fail(given: int) -> int:
    raise ValueError("too few")


def interrupt(given: int) -> int:
    raise KeyboardInterrupt


def play(hooks: ProgressHooks, work: Callable[[int], int]) -> None:
    """Two nodes, run with the hooks as a session does."""
    names = [("given", "made"), ("made", "kept")]
    nodes = [Node(work, *name, name=f"ingestion.make_{name[1]}", tags="ingestion") for name in names]
    pipeline, catalog = Pipeline(nodes), DataCatalog({"given": MemoryDataset(1), "kept": MemoryDataset()})
    manager = _create_hook_manager()
    manager.register(hooks)
    run = {"run_params": {}, "pipeline": pipeline, "catalog": catalog}
    manager.hook.before_pipeline_run(**run)
    try:
        SequentialRunner().run(pipeline, catalog, manager)
    except ValueError as error:
        manager.hook.on_pipeline_error(error=error, **run)
    else:
        manager.hook.after_pipeline_run(run_result={}, **run)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TERMINAL.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("terminal")
def test_a_terminal_shows_how_far_the_run_is_and_at_which_node(capsys: pytest.CaptureFixture[str]) -> None:
    play(ProgressHooks(), keep)
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("ingestion", "2/2", "make_kept"))


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("work", [keep, fail])
def test_the_bar_is_gone_when_the_run_is(
    work: Callable[[int], int], capsys: pytest.CaptureFixture[str]
) -> None:
    play(ProgressHooks(), work)
    printed = capsys.readouterr().out
    assert printed.count(HIDE_CURSOR) == printed.count(SHOW_CURSOR) == 1


@pytest.mark.usefixtures("terminal")
def test_a_run_begins_anew_after_one_that_was_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    hooks = ProgressHooks()
    with pytest.raises(KeyboardInterrupt):
        play(hooks, interrupt)
    play(hooks, keep)
    printed = capsys.readouterr().out
    assert printed.count(HIDE_CURSOR) == printed.count(SHOW_CURSOR) == 2


@pytest.mark.slow
def test_an_interrupted_run_gives_the_cursor_back() -> None:
    here = Path(__file__)
    interrupted = f"from {here.stem} import *; play(ProgressHooks(), interrupt)"
    env = {**os.environ, **TERMINAL, "PYTHONPATH": os.pathsep.join([str(here.parent), *sys.path])}
    ended = subprocess.run(
        [sys.executable, "-c", interrupted], env=env, capture_output=True, text=True, check=False
    )
    assert ended.returncode == -signal.SIGINT
    assert ended.stdout.rfind(SHOW_CURSOR) > ended.stdout.rfind(HIDE_CURSOR) >= 0


@pytest.mark.parametrize("work", [keep, fail])
def test_a_log_gets_no_bar(
    work: Callable[[int], int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    play(ProgressHooks(), work)
    assert capsys.readouterr().out == ""
