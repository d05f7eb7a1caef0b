import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import optuna
import pytest
from kedro.io import DatasetError
from optuna.trial import TrialState

from builders import training_params, training_rows
from lakehouse_ml.datasets.study_folder import Studies, StudyFolder
from lakehouse_ml.flights.model import ESTIMATORS
from lakehouse_ml.pipelines.training.study import Search, on_bounds, run_study, space_of, to_record
from lakehouse_ml.pipelines.training.tune import tune
from lakehouse_ml.use_case import Estimator

pytestmark = pytest.mark.slow


def objective(trial):
    x, depth = trial.suggest_float("x", 1e-3, 10, log=True), trial.suggest_int("depth", 1, 9)
    value = -((x - 2) ** 2) - (depth - 4) ** 2
    for step in range(3):
        trial.report(value - step, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    trial.set_user_attr("x", x)
    return value


def search(objective=objective, trials=12, seed=5):
    return Search("toy", objective, {"x": 1.0, "depth": 2}, trials, startup_trials=3, seed=seed)


def records(trials):
    return [to_record(trial) for trial in trials]


class Killed(RuntimeError):
    pass


def killed_at(number):
    def wrapped(trial):
        if trial.number == number:
            raise Killed
        return objective(trial)

    return wrapped


@pytest.mark.parametrize("number", [0, 1, 4, 11])
def test_a_killed_study_resumes_to_the_very_result_of_an_uninterrupted_one(tmp_path, number):
    whole = run_study(search(), Studies(tmp_path / "whole"))
    torn = Studies(tmp_path / "torn")
    with pytest.raises(Killed):
        run_study(search(killed_at(number)), torn)
    assert len(torn.load("toy")) == number
    assert records(run_study(search(), torn)) == records(whole)
    assert {trial.state for trial in whole} == {TrialState.COMPLETE, TrialState.PRUNED}


def test_a_finished_study_is_not_searched_again(tmp_path):
    studies = Studies(tmp_path)
    whole = run_study(search(), studies)

    def never(trial):
        raise AssertionError

    assert records(run_study(search(never), studies)) == records(whole)
    assert records(run_study(search(never, trials=5), studies)) == records(whole)[:5]


def test_the_first_trial_takes_the_known_start(tmp_path):
    assert run_study(search(), Studies(tmp_path))[0].params == {"x": 1.0, "depth": 2}


def test_another_seed_searches_elsewhere(tmp_path):
    one = run_study(search(), Studies(tmp_path / "5"))
    other = run_study(search(seed=6), Studies(tmp_path / "6"))
    assert one[1].params != other[1].params


def test_a_failing_trial_raises_and_leaves_nothing(tmp_path):
    def fails(trial):
        raise ValueError("no such column")

    with pytest.raises(ValueError, match="no such column"):
        run_study(search(fails), Studies(tmp_path))
    assert Studies(tmp_path).load("toy") == []


def test_a_trial_that_was_half_written_is_searched_again(tmp_path, monkeypatch):
    whole = run_study(search(), Studies(tmp_path / "whole"))
    torn = Studies(tmp_path / "torn")

    def no_rename(*names):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", no_rename)
        with pytest.raises(Killed):
            run_study(search(), torn)
    assert torn.load("toy") == []
    assert records(run_study(search(), torn)) == records(whole)


def test_a_lost_trial_is_named_with_the_way_out(tmp_path):
    studies = Studies(tmp_path)
    run_study(search(trials=4), studies)
    (tmp_path / "toy" / "00001.json").unlink()
    with pytest.raises(DatasetError, match=r"toy: holds trials \[0, 2, 3\].*delete the folder"):
        run_study(search(), studies)


def test_studies_are_only_added_to(tmp_path):
    dataset = StudyFolder(filepath=str(tmp_path))
    assert isinstance(dataset.load(), Studies)
    with pytest.raises(DatasetError, match="cannot be saved"):
        dataset.save({})


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"x": 1e-3, "depth": 4}, ["x on its bound 0.001"]),
        ({"x": 9.99, "depth": 9}, ["x on its bound 10", "depth on its bound 9"]),
        ({"x": 0.0011, "depth": 1}, ["depth on its bound 1"]),
        ({"x": 1.0, "depth": 5}, []),
    ],
)
def test_a_value_on_its_bound_is_reported(params, found):
    study = optuna.create_study()
    study.enqueue_trial(params)
    trial = study.ask()
    objective_value = objective(trial)
    study.tell(trial, objective_value)
    assert on_bounds(study.trials[0]) == found


def test_a_range_of_one_value_has_no_bound_to_be_on():
    single = {"x": optuna.distributions.FloatDistribution(2, 2, log=True)}
    assert on_bounds(optuna.trial.create_trial(value=1.0, params={"x": 2.0}, distributions=single)) == []


def builder_in(folder, monkeypatch, penalty):
    """An estimator whose builder stands in a module of its own."""
    (folder / "own_model.py").write_text(
        "from sklearn.dummy import DummyClassifier\n\n"
        f"PENALTY = {penalty}\n\n"
        "def build(params, seed):\n"
        "    return DummyClassifier(strategy='prior', random_state=seed)\n"
    )
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "own_model", raising=False)
    return Estimator("baseline", ESTIMATORS[0].search_space, import_module("own_model").build, {"C": 0.01})


def test_a_search_of_other_code_or_packages_takes_over_no_trial(tmp_path, monkeypatch):
    def name(estimator=ESTIMATORS[0]):
        params = training_params(tuning={**training_params().tuning.model_dump(), "trials": {"baseline": 1}})
        return tune(training_rows(), Studies(tmp_path / "studies"), params, 1, estimator=estimator).name

    before = name()
    own = name(builder_in(tmp_path, monkeypatch, penalty=1))
    # Not in the builder itself, but in what it may use.
    changed = name(builder_in(tmp_path, monkeypatch, penalty=2))
    assert len({before, own, changed}) == 3
    assert name() == before
    package = tmp_path / "packages/anything-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: anything\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(package.parent)
    assert name() != before


def test_the_name_of_a_study_follows_from_data_space_start_and_seed(tmp_path):
    baseline = ESTIMATORS[0]
    rows, params, studies = training_rows(), training_params(), Studies(tmp_path)

    def name(rows=rows, seed=1, estimator=baseline, params=params):
        fast = params.model_copy(
            update={"tuning": params.tuning.model_copy(update={"trials": {"baseline": 1}})}
        )
        return tune(rows, studies, fast, seed, estimator=estimator).name

    other_space = Estimator(
        "baseline", lambda trial: {"C": trial.suggest_float("C", 1, 2)}, baseline.build, {"C": 1.5}
    )
    other_start = Estimator("baseline", baseline.search_space, baseline.build, {"C": 0.02})
    fewer_days = training_params(tuning={**params.tuning.model_dump(), "days": 7})
    changed = rows.assign(pressure=rows["pressure"] + (rows.index == 0))
    names = [
        name(), name(changed), name(seed=2), name(estimator=other_space), name(estimator=other_start),
        name(params=fewer_days),
    ]  # fmt: skip
    assert len(set(names)) == len(names)
    assert name() == names[0]
    assert names[0].startswith("baseline-")


def test_the_space_is_told_without_a_search():
    assert set(space_of(ESTIMATORS[1].search_space)) == set(ESTIMATORS[1].start)


KILL_AFTER_TWO = """
import os, signal, sys
from pathlib import Path
from builders import training_params, training_rows
from lakehouse_ml.datasets.study_folder import Studies
from lakehouse_ml.flights.model import ESTIMATORS
from lakehouse_ml.pipelines.training.tune import tune

class Killing(Studies):
    def add(self, study, number, record):
        super().add(study, number, record)
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)

tune(training_rows(), Killing(Path(sys.argv[1])), training_params(), 1, estimator=ESTIMATORS[1])
"""


def test_a_search_shot_dead_ends_in_the_same_trials(tmp_path):
    shot = subprocess.run(
        [sys.executable, "-c", KILL_AFTER_TWO, str(tmp_path / "torn")],
        cwd=Path(__file__).parent.parent,
        check=False,
    )
    assert shot.returncode == -signal.SIGKILL
    (folder,) = (tmp_path / "torn").iterdir()
    assert len(list(folder.glob("*.json"))) == 2

    def trials(studies):
        return records(tune(training_rows(), studies, training_params(), 1, estimator=ESTIMATORS[1]).trials)

    assert trials(Studies(tmp_path / "torn")) == trials(Studies(tmp_path / "whole"))
