"""The matrix of roles: what it gives is enough for the jobs, and what nobody may have is refused."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog
from pydantic import ValidationError

from lakehouse_ml.datasets import Challengers, PromotionLedger, RegisteredModel, RunLog, TableVersions
from lakehouse_ml.deploy.roles import LEDGER, Roles, RolesError
from lakehouse_ml.flights import CONTRACTS
from lakehouse_ml.pipeline_registry import register_pipelines
from lakehouse_ml.pipelines.maintenance.maintain import plan_maintenance
from lakehouse_ml.platform import PLATFORM_VARIABLE
from lakehouse_ml.settings import CONFIG_LOADER_ARGS
from project_builders import CONF, Project
from role_builders import roles_of, with_row, written_roles

pytestmark = pytest.mark.slow

ROLES = roles_of()
SHARED = tuple(name for name in ROLES.environments if name not in ROLES.personal)
SCHEMAS = ("bronze", "silver", "quarantine", "gold", "ml", "ops")
JOBS = {
    "daily": ("daily", "replay_quarantine"),
    "retrain": ("training", "evaluation"),
    "promote": ("promotion", "endpoint"),
}
# Written by a hook at the end of every run.
BY_EVERY_RUN = "ops.event_log"


def touched(dataset: Any) -> Iterator[str]:
    """Tables that a dataset stands for."""
    if isinstance(dataset, RunLog):
        yield "ops.runs"
    elif isinstance(dataset, PromotionLedger | RegisteredModel | Challengers):
        yield LEDGER
    elif isinstance(dataset, TableVersions):
        yield from (table for table in CONTRACTS if table.split(".")[0] in dataset.schemas)
    elif isinstance(getattr(dataset, "table", None), str):
        yield dataset.table


def tables_of(catalog: DataCatalog, names: set[str]) -> set[str]:
    return {table for name in names if name in catalog for table in touched(catalog.get(name))}


@pytest.fixture(scope="module")
def needs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[set[str], set[str]]]:
    """Tables that each job reads and writes, from the registered pipelines and the catalog."""
    catalog, registered = Project(tmp_path_factory.mktemp("project")).catalog(), register_pipelines()
    found = {}
    for job, names in JOBS.items():
        pipelines = [registered[name] for name in names]
        reads = set().union(*(tables_of(catalog, p.datasets() - p.all_outputs()) for p in pipelines))
        writes = set().union(*(tables_of(catalog, p.all_outputs()) for p in pipelines))
        found[job] = reads, writes | {BY_EVERY_RUN}
    return found


@pytest.mark.parametrize("job", JOBS)
def test_a_job_may_do_what_its_pipelines_do(needs: dict[str, tuple[set[str], set[str]]], job: str) -> None:
    reads, writes = needs[job]
    assert writes - {BY_EVERY_RUN}
    for environment in SHARED:
        lacking = [t for t in sorted(reads | writes) if "SELECT" not in ROLES.held(job, environment, t)]
        lacking += [t for t in sorted(writes) if "MODIFY" not in ROLES.held(job, environment, t)]
        assert lacking == []


def test_versions_are_read_of_tables_that_the_job_may_read(tmp_path: Path) -> None:
    catalog = Project(tmp_path).catalog()
    gold, every = (tables_of(catalog, {name}) for name in ("versions_of_gold", "table_versions"))
    assert gold == {table for table in CONTRACTS if table.startswith("gold.")}
    # What training would need for all of them, and has not.
    lacking = {table for table in every if "SELECT" not in ROLES.held("retrain", "prod", table)}
    assert lacking >= {"silver.movements", "bronze.movements"}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_may_write_nothing_that_its_pipelines_do_not(
    needs: dict[str, tuple[set[str], set[str]]], job: str
) -> None:
    may = {table for table in CONTRACTS if "MODIFY" in ROLES.held(job, "prod", table)}
    assert may == needs[job][1] & set(CONTRACTS)


def test_a_person_may_ask_promotion_for_what_only_its_principal_may() -> None:
    for environment in SHARED:
        for job in ("approve", "rollback"):
            assert ROLES.run_as[job] == "promote"
            rows = (row for row in ROLES.rows(environment) if row.jobs.get(job, "CAN_VIEW") != "CAN_VIEW")
            assert {row.role: row.jobs[job] for row in rows} == {
                "modelops": "CAN_MANAGE_RUN",
                "deploy": "CAN_MANAGE",
            }


def test_promotion_may_read_what_a_person_is_answered_by(tmp_path: Path) -> None:
    loaded = {"run", "promotion_ledger", "ml_predictions", "gold_labels"}
    tables = tables_of(Project(tmp_path).catalog(), loaded)
    assert tables == {"ops.runs", LEDGER, "ml.predictions", "gold.labels"}
    assert [table for table in tables if "SELECT" not in ROLES.held("promote", "prod", table)] == []


@pytest.mark.parametrize("environment", ROLES.environments)
def test_whoever_deploys_may_deploy_again(environment: str) -> None:
    (row,) = (row for row in ROLES.rows(environment) if "CREATE_SCHEMA" in row.catalog)
    assert row.jobs == dict.fromkeys(ROLES.run_as, "CAN_MANAGE")
    # A deployment sets all rights on both: a person's own would go with the next person's.
    assert (row.experiment, row.secret_scope) == ("CAN_MANAGE", "MANAGE")


def test_every_job_may_read_the_experiment_that_each_session_looks_up() -> None:
    for environment in SHARED:
        readers = {row.role for row in ROLES.rows(environment) if row.experiment}
        assert {*ROLES.run_as.values()} <= readers


def volumes(value: Any, environment: str) -> set[str]:
    """Volumes that an entry of the catalog has paths in, as ``<schema>.<volume>``."""
    if isinstance(value, dict):
        return set().union(*(volumes(entry, environment) for entry in value.values()))
    found = re.match(rf"/Volumes/{environment}/(\w+)/(\w+)(/|$)", str(value))
    return {f"{found[1]}.{found[2]}"} if found else set()


@pytest.mark.parametrize("environment", SHARED)
def test_a_job_may_use_the_volumes_that_its_datasets_lie_in(
    environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PLATFORM_VARIABLE, "databricks")
    loader = OmegaConfigLoader(str(CONF), env=environment, **CONFIG_LOADER_ARGS)
    resolver, registered = DataCatalog.from_config(loader["catalog"]).config_resolver, register_pipelines()
    lacking, seen = [], set()
    for job, names in {**JOBS, "maintain": ("maintenance",)}.items():
        written = {name for pipeline in names for name in registered[pipeline].all_outputs()}
        for name in {name for pipeline in names for name in registered[pipeline].datasets()}:
            right = "WRITE_VOLUME" if name in written else "READ_VOLUME"
            for volume in volumes(resolver.resolve_pattern(name), environment):
                seen.add((job, volume))
                lacking += [(job, volume, name)] * (right not in ROLES.held(job, environment, volume))
    assert lacking == []
    assert seen >= {("daily", "bronze.landing"), ("daily", "ops.state"), ("retrain", "ops.state")}


def test_no_job_writes_where_files_land() -> None:
    for job in ROLES.run_as.values():
        assert "WRITE_VOLUME" not in ROLES.held(job, "prod", "bronze.landing")


def test_maintenance_may_keep_every_table_that_it_plans_for(tmp_path: Path) -> None:
    params = Project(tmp_path).catalog(register_pipelines()["maintenance"]).load("params:maintenance")
    planned = plan_maintenance(dict.fromkeys(CONTRACTS, 0), params)
    may = {table for table in CONTRACTS if {"SELECT", "MODIFY"} <= ROLES.held("maintain", "prod", table)}
    assert may == planned.keys() == CONTRACTS.keys() - {LEDGER}
    assert ROLES.run_as["maintenance"] == "maintain"


def test_who_creates_a_table_is_the_job_that_writes_it(
    needs: dict[str, tuple[set[str], set[str]]],
) -> None:
    for job, (_, writes) in needs.items():
        own = writes - {BY_EVERY_RUN}
        assert all("CREATE_TABLE" in ROLES.held(job, "prod", table) for table in own), job


def test_every_named_table_and_schema_exists() -> None:
    rows = ROLES.matrix
    assert {table for row in rows for table in row.tables} <= set(CONTRACTS)
    assert {name for row in rows for name in row.schemas} == set(SCHEMAS)


def test_environments_are_those_of_conf() -> None:
    conf = Path(__file__).parents[2] / "conf"
    found = {path.parent.name for path in conf.glob("*/globals.yml")} - {"base"}
    assert set(ROLES.environments) == found


@pytest.mark.parametrize("environment", ROLES.environments)
def test_trainers_move_no_alias_and_write_no_ledger(environment: str) -> None:
    ledger = ROLES.held("retrain", environment, LEDGER)
    assert not ledger & {"MODIFY", "CREATE_TABLE"}
    assert "CREATE_MODEL" not in ROLES.held("retrain", environment, "ml")


def test_consumers_read_gold_and_predictions_only() -> None:
    seen = {table for table in CONTRACTS if ROLES.held("consumers", "prod", table) & {"SELECT", "MODIFY"}}
    assert seen == {table for table in CONTRACTS if table.startswith("gold.")} | {"ml.predictions"}
    assert all(not ROLES.held("consumers", name, "gold.features") for name in ("dev", "test", "staging"))


def test_trainers_consumers_and_operators_see_no_restricted_table() -> None:
    restricted = {t for t, c in CONTRACTS.items() if any(x.privacy == "restricted" for x in c.columns)}
    assert {"silver.movements", "silver.planes", "quarantine.lines", "bronze.movements"} <= restricted
    for role in ("retrain", "promote", "consumers", "devops", "modelops"):
        assert [table for table in restricted if ROLES.held(role, "prod", table) & {"SELECT"}] == [], role


BAD_ROWS = {
    "trainer creates models": (
        {"role": "retrain", "schemas": {"ml": ["CREATE_MODEL"]}},
        "retrain in prod: CREATE_MODEL on ml: only promote owns models",
    ),
    "trainer writes the ledger": (
        {"role": "retrain", "tables": {LEDGER: ["MODIFY"]}},
        f"MODIFY on {LEDGER}: only promote writes",
    ),
    "trainer writes the ledger's schema": (
        {"role": "retrain", "schemas": {"ops": ["MODIFY"]}},
        "MODIFY on ops: only promote writes",
    ),
    "trainer creates the ledger": (
        {"role": "retrain", "schemas": {"ops": ["CREATE_TABLE"]}},
        "who creates ops.promotion_ledger owns it",
    ),
    "maintenance creates the ledger": (
        {"role": "maintain", "schemas": {"ops": ["CREATE_TABLE"]}},
        "maintain in prod: CREATE_TABLE on ops: who creates ops.promotion_ledger owns it",
    ),
    "daily creates tables anywhere": (
        {"role": "daily", "catalog": ["CREATE_TABLE"]},
        "daily in prod: CREATE_TABLE on catalog: who creates ops.promotion_ledger owns it",
    ),
    "daily writes all": ({"role": "daily", "catalog": ["MODIFY"]}, "MODIFY on catalog: only promote"),
    "consumers read silver": (
        {"role": "consumers", "schemas": {"silver": ["SELECT"]}},
        "SELECT on silver: consumers read gold and predictions only",
    ),
    "consumers read all models' tables": (
        {"role": "consumers", "schemas": {"ml": ["SELECT"]}},
        "SELECT on ml: consumers read",
    ),
    "consumers start jobs": ({"role": "consumers", "jobs": {"daily": "CAN_VIEW"}}, "consumers read gold"),
    "people write in prod": (
        {"role": "modelops", "schemas": {"gold": ["MODIFY"]}},
        "modelops in prod: MODIFY on gold: people write in personal environments only",
    ),
    "people edit jobs in prod": (
        {"role": "devops", "jobs": {"promote": "CAN_MANAGE"}},
        "who edits a job acts as its principal",
    ),
    "daily moves the endpoint": (
        {"role": "daily", "endpoint": "CAN_MANAGE"},
        "daily in prod: CAN_MANAGE on endpoint: only promote says which version it serves",
    ),
    "people move the endpoint": (
        {"role": "modelops", "endpoint": "CAN_MANAGE"},
        "modelops in prod: CAN_MANAGE on endpoint: only promote says which version it serves",
    ),
    "consumers look into the endpoint": (
        {"role": "consumers", "endpoint": "CAN_VIEW"},
        "CAN_VIEW on endpoint: consumers query it only",
    ),
    "trainer has the last word": (
        {"role": "retrain", "jobs": {"approve": "CAN_MANAGE_RUN"}},
        "retrain in prod: CAN_MANAGE_RUN on job approve: only modelops has the last word on who is champion",
    ),
    "trainer manages the last word": (
        {"role": "retrain", "jobs": {"approve": "CAN_MANAGE"}},
        "retrain in prod: CAN_MANAGE on job approve: only modelops has the last word",
    ),
    "operators take champions back": (
        {"role": "devops", "jobs": {"rollback": "CAN_MANAGE_RUN"}},
        "devops in prod: CAN_MANAGE_RUN on job rollback: only modelops has the last word",
    ),
    "nobody knows who": ({"role": "guests", "catalog": ["USE_CATALOG"]}, "role guests: is not in roles"),
    "nobody knows which job": ({"role": "devops", "jobs": {"weekly": "CAN_VIEW"}}, "job weekly: is not in"),
    "all there is": ({"role": "deploy", "catalog": ["ALL_PRIVILEGES"]}, "Input should be"),
    "what a misspelling gives": ({"role": "deploy", "table": {}}, "Extra inputs are not permitted"),
}


@pytest.mark.parametrize(("row", "told"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_row_that_must_never_be_is_refused_by_name(row: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Roles.model_validate(with_row(**{"environments": ["prod"], **row}))
    assert told in str(refused.value)


@pytest.mark.parametrize("group", ["users", "account users", "Account Users"])
def test_nothing_is_granted_to_everyone(group: str) -> None:
    written = written_roles()
    written["roles"]["consumers"] = {"group": group}
    with pytest.raises(ValidationError, match="nothing is granted to everyone"):
        Roles.model_validate(written)


BAD_NAMES = {
    "a job runs as people": (
        {"run_as": {"daily": "dataops"}},
        "run_as daily: dataops is no service principal",
    ),
    "one principal for all environments": (
        {"roles": {"promote": {"service_principal": "promote"}}},
        "must hold {environment}",
    ),
    "a person is both": (
        {"roles": {"daily": {"group": "a", "service_principal": "b-{environment}"}}},
        "either a group or a service_principal",
    ),
    "an id of nobody": ({"application_ids": {"consumers": "0"}}, "application_ids: must name"),
    "jobs that run as a person in prod": (
        {"personal": ["dev", "prod"]},
        "daily in prod: personal: jobs run as the person who deployed them there",
    ),
    "an environment that is none": ({"personal": ["laptop"]}, "environment laptop: is not in copies_from"),
}


@pytest.mark.parametrize(("change", "told"), BAD_NAMES.values(), ids=BAD_NAMES)
def test_names_that_do_not_fit_are_refused(change: dict[str, Any], told: str) -> None:
    written = written_roles()
    for key, value in change.items():
        written[key] = written[key] | value if isinstance(value, dict) else value
    with pytest.raises(ValidationError) as refused:
        Roles.model_validate(written)
    assert told in str(refused.value)


def test_an_unknown_environment_is_told_with_those_that_exist() -> None:
    with pytest.raises(
        RolesError, match=r"no environment .live. in roles\.yml; there are dev, prod, staging, test"
    ):
        ROLES.rows("live")


@pytest.mark.parametrize(("source", "target"), [("staging", "prod"), ("test", "staging")])
def test_versions_are_copied_up_one_step(source: str, target: str) -> None:
    ROLES.refuse_copy(source, target)


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        ("test", "prod", "prod takes no version from test: copies_from of roles.yml allows staging"),
        ("prod", "staging", "staging takes no version from prod: .* allows test"),
        ("prod", "test", "test takes no version from prod: .* allows no environment"),
        ("staging", "live", "no environment .live."),
    ],
)
def test_any_other_copy_is_refused(source: str, target: str, told: str) -> None:
    with pytest.raises(RolesError, match=told):
        ROLES.refuse_copy(source, target)


@given(
    role=st.sampled_from(sorted(set(ROLES.roles) - {"promote"})),
    environment=st.sampled_from(SHARED),
    schema=st.sampled_from([*SCHEMAS, LEDGER, "ml.predictions"]),
    privilege=st.sampled_from(["SELECT", "MODIFY", "CREATE_TABLE", "CREATE_MODEL", "EXECUTE"]),
)
def test_no_single_row_gives_the_ledger_or_the_models_away(
    role: str, environment: str, schema: str, privilege: str
) -> None:
    place = "tables" if "." in schema else "schemas"
    row = {"role": role, "environments": [environment], place: {schema: [privilege]}}
    try:
        roles = Roles.model_validate(with_row(**row))
    except ValidationError:
        return
    assert "MODIFY" not in roles.held(role, environment, LEDGER)
    assert "CREATE_MODEL" not in roles.held(role, environment, "ml")
