"""Grants as statements and as parts of the bundle."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from databricks.sdk.service import catalog, iam, jobs, ml, serving, workspace
from kedro.framework.startup import bootstrap_project

from lakehouse_ml.cli import cli
from lakehouse_ml.deploy.grants import (
    bundle_access,
    grant_statements,
    ledger_statements,
    privacy_statements,
    run_as,
    service_principal,
)
from lakehouse_ml.deploy.roles import Roles, RolesError
from lakehouse_ml.flights import CONTRACTS
from role_builders import known_roles, roles_of, with_row, written_roles

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = roles_of().environments
GRANT = re.compile(
    r"GRANT [A-Z]+( [A-Z]+)*(, [A-Z]+( [A-Z]+)*)* ON (CATALOG|SCHEMA|VOLUME|TABLE) `\w+`(\.`\w+`){0,2} TO `[^`]+`;"
)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_statements_have_the_form_that_unity_catalog_takes(environment: str) -> None:
    statements = grant_statements(known_roles(environment), environment)
    assert [statement for statement in statements if not GRANT.fullmatch(statement)] == []
    assert len(statements) == len(set(statements)) > 10


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_statements_name_the_environments_own_catalog_and_principals_only(environment: str) -> None:
    statements = [
        *grant_statements(known_roles(environment), environment),
        *privacy_statements(known_roles(environment), environment, CONTRACTS),
    ]
    assert all(f" `{environment}`" in statement for statement in statements)
    for other in set(ENVIRONMENTS) - {environment}:
        assert not [s for s in statements if f"`{other}`" in s or f"-in-{other}" in s]


def test_the_one_way_from_one_environment_into_another_is_the_copy_of_a_version() -> None:
    foreign = [s for s in grant_statements(known_roles("staging"), "staging") if "_prod_" in s]
    assert foreign == [
        "GRANT USE CATALOG ON CATALOG `staging` TO `<application id of lakehouse_ml_prod_promote>`;",
        "GRANT USE SCHEMA, EXECUTE ON SCHEMA `staging`.`ml` TO `<application id of lakehouse_ml_prod_promote>`;",
    ]
    for environment in ENVIRONMENTS:
        assert not [s for s in grant_statements(known_roles(environment), environment) if "_dev_" in s]


def test_no_statement_grants_to_everyone_and_none_to_a_person() -> None:
    granted = {s.split(" TO ")[1] for e in ENVIRONMENTS for s in grant_statements(known_roles(e), e)}
    assert granted
    assert not {name for name in granted if "users" in name or "@" in name}


@pytest.mark.parametrize("job", roles_of().run_as)
def test_in_shared_environments_no_job_runs_as_a_person(job: str) -> None:
    for environment in ("test", "staging", "prod"):
        identity = run_as(roles_of(), environment, job)
        assert identity is not None
        assert list(identity) == ["service_principal_name"]
        # Whole through the SDK's own type.
        assert jobs.JobRunAs.from_dict(identity).as_dict() == identity
    assert run_as(roles_of(), "dev", job) is None


def test_promotion_has_a_principal_of_its_own() -> None:
    principals = [run_as(roles_of(), "prod", job) for job in ("daily", "retrain", "promote")]
    assert len({str(principal) for principal in principals}) == 3
    names = {service_principal(roles_of(), environment, "promote") for environment in ENVIRONMENTS}
    assert len(names) == len(ENVIRONMENTS)


def test_an_unknown_job_is_told_with_those_that_exist() -> None:
    known = "approve, daily, endpoint, maintenance, promote, retrain, rollback"
    with pytest.raises(RolesError, match=f"lacks the job weekly; it has {known}"):
        run_as(roles_of(), "prod", "weekly")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_bundles_part_comes_whole_through_the_types_of_the_sdk(environment: str) -> None:
    access = bundle_access(roles_of(environment), environment)
    for kind in ("schemas", "volumes"):
        for one in access[kind].values():
            for grant in one["grants"]:
                assert catalog.PrivilegeAssignment.from_dict(grant).as_dict() == grant
    for job in access["jobs"].values():
        for permission in job["permissions"]:
            assert iam.PermissionLevel(permission["level"])
            kept = {**permission, "permission_level": permission["level"]}
            del kept["level"]
            assert jobs.JobAccessControlRequest.from_dict(kept).as_dict() == kept
    assert all(ml.ExperimentPermissionLevel(p["level"]) for p in access["experiment"]["permissions"])
    assert all(workspace.AclPermission(p["level"]) for p in access["secret_scope"]["permissions"])
    levels = [p["level"] for p in access["serving_endpoint"]["permissions"]]
    assert all(serving.ServingEndpointPermissionLevel(level) for level in levels)


def test_in_prod_consumers_and_modelops_query_the_endpoint_and_promotion_alone_moves_it() -> None:
    given = bundle_access(roles_of(), "prod")["serving_endpoint"]["permissions"]
    assert {
        entry.get("group_name", entry.get("service_principal_name")): entry["level"] for entry in given
    } == {
        "${var.promote_principal}": "CAN_MANAGE",
        "lakehouse_ml_modelops": "CAN_QUERY",
        "lakehouse_ml_devops": "CAN_VIEW",
        "lakehouse_ml_consumers": "CAN_QUERY",
    }


def test_statements_and_bundle_say_the_same_of_schemas() -> None:
    roles = known_roles("prod")
    said = {
        (schema, grant["principal"], tuple(grant["privileges"]))
        for schema, one in bundle_access(roles, "prod")["schemas"].items()
        for grant in one["grants"]
    }
    variables = {f"id-of-{role}-in-prod": f"${{var.{role}_principal}}" for role in roles.application_ids}
    written = set()
    for statement in grant_statements(roles, "prod"):
        words, _, rest = statement.removeprefix("GRANT ").partition(" ON ")
        kind, name, _, principal = rest.rstrip(";").replace("`", "").split(" ")
        if kind == "SCHEMA":
            privileges = tuple(word.replace(" ", "_") for word in words.split(", "))
            written.add((name.split(".")[1], variables.get(principal, principal), privileges))
    assert said == written


def test_every_restricted_column_gets_its_tag_and_all_get_one_mask() -> None:
    statements = privacy_statements(known_roles("prod"), "prod", CONTRACTS)
    restricted = [
        (c.table, x.name) for c in CONTRACTS.values() for x in c.columns if x.privacy == "restricted"
    ]
    assert ("silver.movements", "tail_number") in restricted
    for table, column in restricted:
        name = ".".join(f"`{part}`" for part in ("prod", *table.split(".")))
        tag = f"ALTER TABLE {name} ALTER COLUMN `{column}` SET TAGS ('privacy' = 'restricted');"
        assert statements.count(tag) == 1
    masks = [statement for statement in statements if "COLUMN MASK" in statement]
    assert len(masks) == 1
    assert (
        "TO `account users` EXCEPT `id-of-daily-in-prod`, `lakehouse_ml_dataops`, `id-of-maintain-in-prod` FOR TABLES"
        in masks[0]
    )
    assert "has_tag_value('privacy', 'restricted')" in masks[0]


def test_a_restricted_column_that_the_mask_does_not_fit_is_named() -> None:
    contract = CONTRACTS["silver.planes"]
    columns = tuple(replace(c, privacy="restricted") if c.name == "seats" else c for c in contract.columns)
    with pytest.raises(
        RolesError, match=r"restricted columns must be strings.*silver\.planes\.seats \(int\)"
    ):
        privacy_statements(known_roles(), "prod", {"silver.planes": replace(contract, columns=columns)})


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["grants", *arguments], obj=bootstrap_project(ROOT))
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_shows_statements_and_tells_what_is_missing_to_apply_them() -> None:
    told = shown("--env", "prod")
    assert "GRANT SELECT ON TABLE `prod`.`ml`.`predictions` TO `lakehouse_ml_consumers`;" in told
    assert "Not to be applied yet: application_ids of conf/prod/roles.yml lacks daily, retrain" in told
    assert "Not to be applied" not in shown("--env", "dev")


def test_statements_stand_under_the_moment_at_which_their_objects_are_there() -> None:
    parts = shown("--env", "prod").split("-- ")[1:]
    assert [part.split()[0] for part in parts] == ["Before", "After", "After"]
    catalog, deployed, tables = (
        [line for line in part.splitlines()[1:] if line.endswith(";")] for part in parts
    )
    assert {line.split(" ON ")[1].split()[0] for line in catalog} == {"CATALOG"}
    assert {line.split(" ON ")[1].split()[0] for line in deployed} == {"SCHEMA", "VOLUME"}
    assert not [line for line in tables if line.startswith("GRANT") and " ON TABLE " not in line]
    assert tables[-1].startswith("ALTER TABLE `prod`.`ops`.`promotion_ledger` OWNER TO `<application id of")


def test_the_ledger_is_promotions_whoever_made_it() -> None:
    assert ledger_statements(known_roles("prod"), "prod") == [
        "ALTER TABLE `prod`.`ops`.`promotion_ledger` OWNER TO `id-of-promote-in-prod`;"
    ]
    assert ledger_statements(known_roles("dev"), "dev") == []


def test_a_mask_that_spares_nobody_is_a_statement_all_the_same() -> None:
    roles = Roles.model_validate(written_roles() | {"unmasked": []})
    (mask,) = (s for s in privacy_statements(roles, "prod", CONTRACTS) if "COLUMN MASK" in s)
    assert "TO `account users` FOR TABLES MATCH COLUMNS" in mask


def test_the_command_shows_the_bundles_part() -> None:
    access = yaml.safe_load(shown("--env", "prod", "--format", "yaml"))
    assert access["jobs"]["promote"]["run_as"] == {"service_principal_name": "${var.promote_principal}"}
    assert access["secret_scope"]["name"] == "lakehouse_ml_prod"


def test_an_unknown_environment_is_refused() -> None:
    result = CliRunner().invoke(cli, ["grants", "--env", "live"], obj=bootstrap_project(ROOT))
    assert result.exit_code == 1
    assert "no environment 'live'" in result.output


def test_a_name_cannot_break_out_of_its_statement() -> None:
    written = with_row(role="devops", environments=["prod"], schemas={"a`; DROP": ["SELECT"]})
    statements = grant_statements(Roles.model_validate(written), "prod")
    assert "GRANT SELECT ON SCHEMA `prod`.`a``; DROP` TO `lakehouse_ml_devops`;" in statements
    assert written_roles()["roles"]
