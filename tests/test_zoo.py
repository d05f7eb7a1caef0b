"""No bad model is promoted: each is made for real, and refused by the rule that is there for it."""

import pickle
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import yaml
from pydantic import ValidationError
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from lakehouse_ml.model_files import RegistryError
from lakehouse_ml.pipelines.promotion import decide as decide_module
from lakehouse_ml.pipelines.promotion.artefact import ARTEFACT_RULES
from lakehouse_ml.pipelines.promotion.data import DATA_RULES
from lakehouse_ml.pipelines.promotion.decide import Decision, decide
from lakehouse_ml.pipelines.promotion.evidence import Evidence, Landed
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules
from lakehouse_ml.pipelines.promotion.rules import EVIDENCE_RULES
from promotion_builders import DAYS, HOLDOUT_START, RULES, first_evidence, later_evidence, rules
from registry_builders import make_stores
from zoo import (
    FEATURES,
    HOLDOUT,
    TRAINING,
    Case,
    Home,
    Specimen,
    changed,
    dummy,
    fitted,
    logistic,
    trees,
)

pytestmark = pytest.mark.slow


@cache
def good_linear() -> Specimen:
    return Specimen(fitted(logistic(handle_unknown="ignore")))


@cache
def good_trees() -> Specimen:
    return Specimen(fitted(trees()))


@cache
def weak() -> Specimen:
    """Knows the hour alone, but takes every column."""
    knows = TRAINING.assign(carrier="AA", origin="JFK", wind_kn=0.0)
    return Specimen(fitted(trees(max_iter=5), rows=knows))


def alone(specimen: Specimen, **changes: Any) -> Case:
    """The only kind of model that a training gave: it is its own baseline."""
    return Case(specimen, specimen, **changes)


def elected(specimen: Specimen, **changes: Any) -> Case:
    """A model that is good enough to be elected over a weak baseline."""
    return Case(specimen, weak(), **changes)


def on_labels(label: np.ndarray) -> Case:
    return alone(Specimen(fitted(trees(), label=label)))


def nan_for_one_carrier() -> Specimen:
    """Answers NaN where the tree ends for one airline."""
    coded = fitted(make_pipeline(logistic(handle_unknown="ignore")[0], DecisionTreeClassifier(max_depth=6)))
    tree = coded.classifier_[-1].tree_
    of_carrier = HOLDOUT[HOLDOUT["carrier"] == "B6"]
    leaves = np.unique(
        tree.apply(
            coded.classifier_[0].transform(coded.prepared(of_carrier[list(FEATURES)])).astype(np.float32)
        )
    )
    tree.value[leaves] = np.nan
    return Specimen(coded)


class RunsCode:
    """Leaves a mark when a pickle of it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (Path.touch, (self.mark,))


def pickled(mark: Path) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / "model.pkl").write_bytes(pickle.dumps(RunsCode(mark)))

    return damage


def broken_for_one_airport() -> Case:
    flipped = TRAINING["label"].to_numpy() ^ (TRAINING["origin"] == "LGA").to_numpy()
    slices = {**RULES["slices"], "rows_min": 300}
    return Case(Specimen(fitted(trees(), label=flipped)), weak(), weak(), groups={"slices": slices})


def overwritten(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def foreign_types(folder: Path) -> None:
    describe(folder, "sklearn", skops_trusted_types=["os.system"])


def describe(folder: Path, flavor: str, **changes: object) -> None:
    """Write something else into the description that a loader follows."""
    file = folder / "MLmodel"
    described = yaml.safe_load(file.read_text())
    described["flavors"][flavor] |= changes
    file.write_text(yaml.safe_dump(described))


def own_skops(mark: Path) -> Callable[[Path], None]:
    """A package that a loader would take for skops, since folders of code come first."""

    def damage(folder: Path) -> None:
        (folder / "code/skops").mkdir(parents=True)
        (folder / "code/skops/__init__.py").write_text(f"open({str(mark)!r}, 'w')")
        describe(folder, "python_function", code="code")

    return damage


def other_file_served(folder: Path) -> None:
    shutil.copy(folder / "model.skops", folder / "other.skops")
    describe(folder, "python_function", model_path="other.skops")


# What is wrong, the rule that is there for it, and the promotion.
MODELS: dict[str, tuple[str, Callable[[Path], Case]]] = {
    "constant": ("floor_roc_auc", lambda _: alone(dummy(strategy="prior"))),
    "inverted": ("floor_roc_auc", lambda _: on_labels(~TRAINING["label"].to_numpy())),
    "shuffled labels": (
        "floor_roc_auc",
        lambda _: on_labels(np.random.default_rng(0).permutation(TRAINING["label"].to_numpy())),
    ),
    "trained on the holdout": (
        "holdout_after_training",
        lambda _: elected(
            Specimen(fitted(trees(), rows=HOLDOUT), trained_until=HOLDOUT_START + timedelta(days=28))
        ),
    ),
    "trained on the holdout and denies it": (
        "ceiling_roc_auc",
        lambda _: elected(Specimen(fitted(trees(max_iter=300, min_samples_leaf=2), rows=HOLDOUT))),
    ),
    "uses dep_delay": (
        "artefact_signature",
        lambda _: elected(
            Specimen(fitted(trees(), features=(*FEATURES, "dep_delay")), features=(*FEATURES, "dep_delay"))
        ),
    ),
    "NaN for one carrier": ("evaluation_complete", lambda _: elected(nan_for_one_carrier())),
    "crashes on an unseen category": ("artefact_answers", lambda _: alone(Specimen(fitted(logistic())))),
    "wrong column order": (
        "artefact_signature",
        lambda _: elected(replace(good_trees(), features=FEATURES[::-1])),
    ),
    "other signature": (
        "artefact_signature",
        lambda _: elected(Specimen(fitted(trees(), features=FEATURES[:3]), features=FEATURES[:3])),
    ),
    "unpicklable": (
        "artefact_loads",
        lambda _: elected(replace(good_trees(), damage=overwritten("model.skops", b"no archive"))),
    ),
    "runs code when loaded": (
        "artefact_loads",
        lambda place: elected(replace(good_trees(), format="cloudpickle", damage=pickled(place / "mark"))),
    ),
    "brings code of its own": (
        "artefact_loads",
        lambda place: elected(replace(good_trees(), damage=own_skops(place / "mark"))),
    ),
    "evaluated from one file and served from another": (
        "artefact_loads",
        lambda _: elected(replace(good_trees(), damage=other_file_served)),
    ),
    "wants a foreign type trusted": (
        "artefact_loads",
        lambda _: elected(replace(good_trees(), damage=foreign_types)),
    ),
    "does not say until when it was trained": (
        "artefact_facts",
        lambda _: elected(replace(good_trees(), says={"trained_until": None})),
    ),
    "is served with another threshold": (
        "artefact_facts",
        lambda _: elected(replace(good_trees(), says={"threshold": 0.9})),
    ),
    "huge": (
        "artefact_size",
        lambda _: elected(good_trees(), groups={"artefact": {**RULES["artefact"], "size_mb_max": 0.01}}),
    ),
    "hungry": (
        "artefact_memory",
        lambda _: elected(good_trees(), groups={"artefact": {**RULES["artefact"], "memory_mb_max": 20.0}}),
    ),
    "asks for much": (
        "artefact_request",
        lambda _: elected(good_trees(), groups={"artefact": {**RULES["artefact"], "request_mb_max": 0.001}}),
    ),
    "slow": (
        "artefact_quick",
        lambda _: alone(
            Specimen(
                fitted(
                    make_pipeline(
                        logistic(handle_unknown="ignore")[0],
                        RandomForestClassifier(n_estimators=400, max_depth=2, random_state=0),
                    )
                )
            ),
            groups={"artefact": {**RULES["artefact"], "latency_ms_max": 5.0}},
        ),
    ),
    "non-deterministic": ("artefact_repeats", lambda _: alone(dummy(strategy="stratified"))),
    "takes anything": (
        "artefact_refuses",
        lambda _: alone(Specimen(DummyRegressor(strategy="constant", constant=0.3).fit([[0]], [0]))),
    ),
    "unpinned": (
        "artefact_pinned",
        lambda _: elected(replace(good_trees(), requirements=("scikit-learn>=1", "mlflow", "skops"))),
    ),
    "without requirements": (
        "artefact_pinned",
        lambda _: elected(replace(good_trees(), damage=overwritten("requirements.txt", b"\n"))),
    ),
    "good on average but broken for one airport": ("slices_keep_up", lambda _: broken_for_one_airport()),
    "miscalibrated": (
        "ceiling_calibration_error",
        lambda _: alone(
            Specimen(
                fitted(
                    make_pipeline(
                        logistic(handle_unknown="ignore")[0],
                        LogisticRegression(max_iter=500, class_weight={True: 9.0, False: 1.0}),
                    )
                )
            )
        ),
    ),
    "never alarms": ("floor_cost_skill", lambda _: elected(replace(good_trees(), threshold=0.999))),
    "costs more than the champion": (
        "not_worse_cost",
        lambda _: Case(replace(good_trees(), threshold=0.7), weak(), good_linear()),
    ),
    "no better than the champion": ("beats_champion", lambda _: Case(weak(), weak(), good_trees())),
    "truncated holdout": ("rows_as_declared", lambda _: elected(good_trees(), holdout=HOLDOUT.iloc[:-200])),
    "duplicated rows": (
        "rows_as_declared",
        lambda _: elected(
            good_trees(),
            holdout=HOLDOUT.loc[HOLDOUT.index.append(HOLDOUT.index[:300])].reset_index(drop=True),
        ),
    ),
}

GOOD: dict[str, Callable[[], Case]] = {
    "a first model": lambda: Case(good_trees(), good_linear()),
    "a better one than the champion": lambda: Case(good_trees(), good_linear(), weak()),
}


def is_challenger(metric: str) -> Callable[[Any], bool]:
    return lambda m: m.is_overall and (m.role, m.metric, m.compared_to) == ("challenger", metric, "")


def evidence_with(**values: Any) -> Callable[[], Evidence]:
    return lambda: first_evidence(**values)


def data_with(**values: Any) -> Callable[[], Evidence]:
    return lambda: replace(first_evidence(), data=replace(first_evidence().data, **values))


def declared_with(**values: int) -> Callable[[], Evidence]:
    """The whole evaluation on so little, in agreement with the tables."""

    def make() -> Evidence:
        known = first_evidence()
        few = replace(known, declared=replace(known.declared, **values))
        return changed(few, lambda m: m.is_overall, **values)

    return make


def few_days() -> Evidence:
    known = first_evidence()
    few = replace(known, declared=replace(known.declared, labelled_days=DAYS[:13]))
    return changed(few, lambda m: m.is_overall, days=13)


def new_days_without_rows() -> Evidence:
    """The last week of the holdout has no row, and the first one promoted before."""
    known = later_evidence()
    judged = replace(known.standing, judged_until=DAYS[8])
    few = replace(known, standing=judged, declared=replace(known.declared, labelled_days=DAYS[:20]))
    return changed(few, lambda m: m.is_overall, days=20)


def standing_with(**values: Any) -> Callable[[], Evidence]:
    return lambda: replace(later_evidence(), standing=replace(later_evidence().standing, **values))


# What is wrong with the evidence about sound models.
EVIDENCES: dict[str, tuple[str, Callable[[], Evidence]]] = {
    "stale evaluation": (
        "evaluation_fresh",
        lambda: replace(first_evidence(), as_of=first_evidence().as_of + timedelta(days=8)),
    ),
    "another version's evaluation": (
        "evaluation_of_these_models",
        lambda: changed(first_evidence(), lambda m: m.role == "challenger", model_digest="d" * 64),
    ),
    "missing metric": (
        "evaluation_complete",
        lambda: replace(
            first_evidence(),
            measurements=tuple(m for m in first_evidence().measurements if not is_challenger("roc_auc")(m)),
        ),
    ),
    "NaN metric": (
        "evaluation_complete",
        lambda: changed(first_evidence(), is_challenger("roc_auc"), value=float("nan")),
    ),
    "infinite interval": (
        "evaluation_complete",
        lambda: changed(first_evidence(), is_challenger("roc_auc"), high=float("inf")),
    ),
    "models on different rows": (
        "same_rows",
        lambda: changed(later_evidence(), lambda m: m.role == "champion", rows=23_999),
    ),
    "models on as many other rows": (
        "same_rows",
        lambda: changed(later_evidence(), lambda m: m.role == "champion", keys_digest="f" * 64),
    ),
    "as many rows as gold has, but others": (
        "rows_as_declared",
        lambda: changed(first_evidence(), lambda m: m.is_overall, keys_digest="f" * 64),
    ),
    "an evaluation that does not say which rows": (
        "rows_as_declared",
        lambda: changed(first_evidence(), lambda m: m.is_overall, keys_digest=None),
    ),
    "few rows": ("enough_rows", declared_with(rows=999)),
    "few positives": ("enough_positives", declared_with(positives=199)),
    "few days": ("enough_days", few_days),
    "new days without a labelled row": ("enough_new_days", new_days_without_rows),
    "days that promoted before": (
        "enough_new_days",
        standing_with(judged_until=HOLDOUT_START + timedelta(days=15)),
    ),
    "an alias that something else moved": ("champion_follows_ledger", standing_with(champion="2")),
    "a model that was rolled back": (
        "not_taken_back",
        standing_with(taken_back={"c" * 64: later_evidence().as_of}),
    ),
    "files that changed since": (
        "candidates_intact",
        evidence_with(faults={"challenger": "files have another digest"}),
    ),
    "an unbalanced ingestion log": ("log_in_balance", data_with(unbalanced=("weather/2013-09-01.jsonl.gz",))),
    "many rejected lines": ("few_rejected", data_with(landed=(Landed("movements", 500_000, 70_000),))),
    "a small source rejected as a whole": (
        "few_rejected",
        data_with(landed=(Landed("movements", 500_000, 0), Landed("planes", 20, 20))),
    ),
    "late data": (
        "data_fresh",
        data_with(newest=(("movements", first_evidence().as_of), ("timetable", first_evidence().as_of))),
    ),
    "a file that could not be read": (
        "no_open_data_alert",
        data_with(rejected_files=("movements/2013-09-30.jsonl.gz",)),
    ),
    "labels that are still missing": (
        "no_open_data_alert",
        data_with(open_alerts=(("labels_late", "outcomes"),)),
    ),
    "below a floor of skill": (
        "floor_brier_skill",
        lambda: changed(first_evidence(), is_challenger("brier_skill"), value=-0.01),
    ),
    "no better than chance at the top": (
        "floor_ap_over_base_rate",
        lambda: changed(first_evidence(), is_challenger("ap_over_base_rate"), value=1.1),
    ),
}


def failed(decision: Decision) -> set[str]:
    return {verdict.rule for verdict in decision.verdicts if not verdict.passed}


Show = Callable[[str, str, str], None]


@pytest.fixture
def show(record_property) -> Show:
    """A line of the table: what is wrong, what is there for it, and what came of it."""
    return lambda kind, rule, verdict: record_property("zoo", (kind, rule, verdict))


@pytest.fixture(scope="module")
def shared(mlflow_template, tmp_path_factory):
    yield make_stores(mlflow_template, tmp_path_factory.mktemp("stores"))
    mlflow.set_tracking_uri("")


@pytest.fixture
def home(shared, request) -> Home:
    """A registered name of its own for each case; nobody is champion yet."""
    name = f"test.ml.{re.sub('[^a-zA-Z]+', '_', request.node.name)}"
    return Home(replace(shared.registry, name=name))


def refuses(home: Home, decision: Decision, champion: Path | None) -> None:
    """Nothing but one row, that says so, comes of the decision."""
    if champion is not None:
        home.crown(champion)
    alias, named = home.registry.aliased(), decision.evidence.standing.champion
    assert home.carry_out(decision) == [("decided", "refused", None, named, named)]
    assert home.registry.aliased() == alias
    assert home.ledger.state().champion == (alias and alias.version)
    assert any(reason.startswith("FAILED") for reason in home.ledger.rows[-1].reasons)


@pytest.mark.parametrize("kind", MODELS)
def test_a_bad_model_is_refused_by_the_rule_that_is_there_for_it(kind, tmp_path, home, show):
    rule, make = MODELS[kind]
    case = make(tmp_path)
    decision = case.judged(tmp_path, is_tried=rule.startswith("artefact"))
    assert decision.outcome == "refused"
    assert rule in failed(decision), sorted(failed(decision))
    refuses(home, decision, tmp_path / "champion" if case.champion else None)
    assert not (tmp_path / "mark").exists()
    show(kind, rule, decision.outcome)


@pytest.mark.parametrize("kind", EVIDENCES)
def test_bad_evidence_is_refused_by_the_rule_that_is_there_for_it(kind, shared, home, show):
    rule, make = EVIDENCES[kind]
    decision = decide(make(), rules())
    assert decision.outcome == "refused"
    assert rule in failed(decision), sorted(failed(decision))
    refuses(home, decision, shared.template / "model" if decision.evidence.incumbent else None)
    show(kind, rule, decision.outcome)


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_model_is_promoted(kind, tmp_path, home, show):
    case = GOOD[kind]()
    decision = case.judged(tmp_path, is_tried=True)
    assert failed(decision) == set(), decision.reasons
    assert (decision.outcome, decision.elected) == ("promoted", "challenger")
    if case.champion:
        home.crown(tmp_path / "champion")
    before, after = ("1", "2") if case.champion else (None, "1")
    step = ("promoted", after, before, after)
    assert home.carry_out(decision) == [("decided", *step), ("moved", *step)]
    alias = home.registry.aliased()
    assert (alias.version, alias.digest) == (after, decision.evidence.digests["challenger"])
    assert home.registry.load(alias).threshold == case.challenger.threshold
    show(kind, "", decision.outcome)


@pytest.mark.parametrize("empty", [{}, None, {"evidence": {}}])
def test_an_empty_rule_set_judges_nothing(empty, show):
    with pytest.raises(ValidationError):
        PromotionRules.model_validate(empty)
    show(f"empty rules: {empty}", "PromotionRules", "not started")


def test_a_registry_that_cannot_be_reached_promotes_nothing(home, monkeypatch, show):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    home.registry = replace(home.registry, registry_uri="http://127.0.0.1:9")
    decision = decide(first_evidence(), rules())
    assert decision.outcome == "promoted"
    with pytest.raises(RegistryError):
        home.carry_out(decision)
    assert home.ledger.rows == []
    show("registry unreachable", "register", "raised, no row")


def test_a_ledger_that_cannot_be_written_moves_no_alias(tmp_path, home, monkeypatch, show):
    case = GOOD["a better one than the champion"]()
    decision = case.judged(tmp_path, is_tried=False)
    home.crown(tmp_path / "champion")
    alias, rows = home.registry.aliased(), home.ledger.entries()
    monkeypatch.setattr(home.ledger, "append", full_disk)
    with pytest.raises(OSError, match="No space left"):
        home.carry_out(decision)
    assert (home.registry.aliased(), home.ledger.rows) == (alias, rows)
    show("ledger unwritable", "apply_decision", "raised, alias unmoved")


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_an_exception_inside_a_rule_refuses_under_the_rules_name(monkeypatch, home, show):
    def few_rejected(evidence, rules):
        raise ZeroDivisionError

    monkeypatch.setattr(decide_module, "DATA_RULES", (few_rejected,))
    decision = decide(first_evidence(), rules())
    assert (decision.outcome, failed(decision)) == ("refused", {"few_rejected"})
    refuses(home, decision, None)
    show("exception inside a rule", "few_rejected", decision.outcome)


def test_every_rule_has_a_case():
    named = {rule for rule, _ in [*MODELS.values(), *EVIDENCES.values()]}
    rules_ = {rule.__name__ for group in (EVIDENCE_RULES, DATA_RULES, ARTEFACT_RULES) for rule in group}
    limits = {f"{kind[:-1]}_{metric}" for kind in ("floors", "ceilings") for metric in RULES[kind]}
    assert rules_ | limits | {"not_worse_cost", "slices_keep_up", "beats_champion"} == named
