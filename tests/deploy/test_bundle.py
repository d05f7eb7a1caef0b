"""The bundle of this project: current, whole, as promised on both clouds and in every target."""

import re
import tomllib
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner, Result
from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from pydantic import ValidationError

from lakehouse_ml.__main__ import COMMANDS
from lakehouse_ml.cli import cli
from lakehouse_ml.cli.bundle import CLOUDS, read_project
from lakehouse_ml.deploy.bundle import Files, Project, bundle_files, write_bundle
from lakehouse_ml.deploy.effective import effective
from lakehouse_ml.deploy.resolve import resolve
from lakehouse_ml.deploy.roles import Row
from lakehouse_ml.deploy.values import BundleError, CommandJob, PipelineJob, Values
from lakehouse_ml.deploy.whole import TYPES, check_whole, differences
from lakehouse_ml.pipeline_registry import STAGES
from lakehouse_ml.settings import CONFIG_LOADER_ARGS
from processes import ROOT

pytestmark = pytest.mark.slow

TARGETS = ("dev", "test", "staging", "prod")
SHARED = TARGETS[1:]
# Jobs that do what a person asks for, with what the person has to say.
PEOPLES = {"approve": ("version", "by", "note"), "rollback": ("reason", "to", "by")}
GIVEN = {
    "daily_principal": "00000000-0000-0000-0000-00000000000d",
    "retrain_principal": "00000000-0000-0000-0000-00000000000e",
    "promote_principal": "00000000-0000-0000-0000-00000000000f",
    "maintain_principal": "00000000-0000-0000-0000-0000000000aa",
    "deploy_principal": "00000000-0000-0000-0000-0000000000de",
    "notification_email": "mlops@example.com",
    "warehouse_id": "475b94ddc7cd5211",
}
OF_AZURE = {"key_vault_id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"}
# All in which what is deployed on the two clouds may differ.
MAY_DIFFER = re.compile(
    r"\.(schemas\.\w+\.storage_root|volumes\.\w+\.storage_location"
    r"|secret_scopes\.\w+\.(backend_type|keyvault_metadata)"
    r"|jobs\.\w+\.job_clusters\[\d\]\.new_cluster\.node_type_id)"
)
# Consumers read in prod only.
PROD_MAY_DIFFER = re.compile(r"\.schemas\.(gold|ml)\.grants")
ROOT_MAY_DIFFER = re.compile(
    r"\.(variables\.(key_vault_id|node_type\.default|storage_root\.default)|targets\.\w+\.workspace\.host"
    r"|targets\.\w+\.resources\.secret_scopes\.\w+\.(backend_type|keyvault_metadata))"
)


@cache
def project() -> Project:
    bootstrap_project(ROOT)
    return read_project(ROOT)


@cache
def values_as_written() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "conf/base/bundle.yml").read_text()))


@cache
def files_of(cloud: str, compute: str = "serverless") -> Files:
    return bundle_files(with_values(compute=compute), cloud)


def with_values(**changes: Any) -> Project:
    return replace(project(), values=Values.model_validate({**values_as_written(), **changes}))


@cache
def deployed(cloud: str, target: str, compute: str = "serverless") -> dict[str, Any]:
    given = GIVEN | (OF_AZURE if cloud == "azure" else {})
    return resolve(files_of(cloud, compute), target, given)


EVERYWHERE = pytest.mark.parametrize(("cloud", "target"), [(c, t) for c in CLOUDS for t in TARGETS])
ON_BOTH = pytest.mark.parametrize("cloud", CLOUDS)


@ON_BOTH
def test_the_committed_files_are_current(cloud: str) -> None:
    made, folder = bundle_files(project(), cloud), ROOT / "deploy" / cloud
    stored = {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }
    assert stored == made, "run `kedro bundle` and commit deploy/"


@EVERYWHERE
@pytest.mark.parametrize("compute", ["serverless", "cluster"])
def test_every_resource_comes_back_whole_from_the_sdk(cloud: str, target: str, compute: str) -> None:
    resources = deployed(cloud, target, compute)
    check_whole(resources)
    assert set(resources) == set(TYPES)
    assert all(resources.values())


@EVERYWHERE
def test_nothing_is_left_that_only_the_generator_knows(cloud: str, target: str) -> None:
    left = set(re.findall(r"\$\{([^}]+)\}", yaml.safe_dump(deployed(cloud, target))))
    later = ("resources.", "bundle.git.commit", "workspace.current_user.")
    assert {reference for reference in left if not reference.startswith(later)} == set()


def test_every_stage_is_one_task_of_one_job_and_the_registry_knows_it() -> None:
    jobs = project().values.pipeline_jobs
    tasks = [task for job in jobs.values() for task in job.pipelines]
    stages = [stage.__name__.rsplit(".", 1)[1] for stage in STAGES]
    assert sorted(tasks) == sorted([*stages, "maintenance", "endpoint"])
    assert set(jobs["daily"].pipelines) == {min(node.tags) for node in pipelines["daily"].nodes}


def test_edges_follow_the_data() -> None:
    jobs = deployed("aws", "prod")["jobs"]
    edges = {
        name: {
            task["task_key"]: [on["task_key"] for on in task.get("depends_on", [])] for task in job["tasks"]
        }
        for name, job in jobs.items()
    }
    assert edges == {
        "daily": {
            "ingestion": [],
            "feature_engineering": ["ingestion"],
            "inference": ["ingestion", "feature_engineering"],
            "monitoring": ["ingestion", "feature_engineering", "inference"],
            "endpoint": ["ingestion", "feature_engineering", "inference", "monitoring"],
        },
        "retrain": {"training": [], "evaluation": ["training"], "promote": ["training", "evaluation"]},
        "promote": {"promotion": []},
        "endpoint": {"endpoint": []},
        "maintenance": {"maintenance": []},
        "approve": {"approve": []},
        "rollback": {"rollback": []},
    }


def test_a_name_tells_the_tables_that_it_changes() -> None:
    writes = project().writes
    assert writes("bronze_weather@lines") == {"bronze.weather"}
    assert writes("progress_of_ingestion") == writes("progress_of_feature_engineering") == {"ops.progress"}
    assert writes("run") == writes("ops_runs") == {"ops.runs"}
    assert writes("maintained_tables") > {"silver.weather", "ops.event_log"}
    assert writes("ml_candidates") == {"ml_candidates"}


def test_a_dataset_that_is_no_longer_stored_is_refused_by_its_name() -> None:
    forgetful = replace(
        project(), is_persisted=lambda name: name != "ml_candidates" and project().is_persisted(name)
    )
    with pytest.raises(BundleError, match="training hands ml_candidates to evaluation in memory"):
        bundle_files(forgetful, "aws")


@pytest.mark.parametrize("name", ["compared_models", "baseline_fitted", "no_such_dataset"])
def test_a_dataset_that_is_declared_to_live_in_memory_is_not_stored(name: str) -> None:
    assert not project().is_persisted(name)
    assert project().is_persisted("gold_features")


@EVERYWHERE
def test_every_task_gets_its_own_configuration_and_the_parameters_of_the_job(cloud: str, target: str) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    jobs = deployed(cloud, target)["jobs"]
    for job in (jobs[name] for name in project().values.pipeline_jobs):
        names = [parameter["name"] for parameter in job["parameters"]]
        assert names[:3] == ["as_of", "run_id", "job_run_id"]
        for wheel in (task["python_wheel_task"] for task in job["tasks"] if "python_wheel_task" in task):
            assert wheel["entry_point"] in scripts
            given = [part for part in wheel["parameters"] if not part.startswith("--mend=")]
            options = dict(zip(given[::2], given[1::2], strict=True))
            assert (options["--env"], options["--platform"]) == (target, "databricks")
            assert options["--conf-source"].startswith("/Workspace/")
            params = dict(pair.split("=") for pair in options["--params"].split(","))
            assert {"as_of", "run_id", "job_run_id"} <= set(params)
            assert params["run_id"] == "{{job.parameters.run_id}}"
    (monitoring,) = (task for task in jobs["daily"]["tasks"] if task["task_key"] == "monitoring")
    started = monitoring["python_wheel_task"]["parameters"][-1]
    assert started.endswith(",retrain_job_id=${resources.jobs.retrain.id}")
    assert jobs["daily"]["parameters"][1]["default"] == "{{job.run_id}}"


@EVERYWHERE
def test_only_the_job_that_writes_the_layers_mends_them_and_only_when_asked(cloud: str, target: str) -> None:
    jobs = deployed(cloud, target)["jobs"]
    mending = {
        (name, task["task_key"], argument)
        for name, job in jobs.items()
        for task in job["tasks"]
        for argument in task.get("python_wheel_task", {}).get("parameters", [])
        if "mend" in argument
    }
    assert mending == {("daily", "ingestion", "--mend={{job.parameters.mend}}")}
    assert {p["name"]: p["default"] for p in jobs["daily"]["parameters"]}["mend"] == ""


@pytest.mark.parametrize("wrong", [{"mends": "training"}, {"parameters": {"run_id": ""}}])
def test_a_job_mends_what_it_writes_by_a_parameter_of_its_own(wrong: dict[str, Any]) -> None:
    daily = project().values.jobs["daily"].model_dump()
    with pytest.raises(
        ValidationError, match="mends: must be one of the job's pipelines, and mend one of its"
    ):
        PipelineJob(**{**daily, **wrong})


@EVERYWHERE
def test_a_persons_command_is_one_task_with_an_argument_for_each_of_the_jobs_parameters(
    cloud: str, target: str
) -> None:
    jobs = deployed(cloud, target)["jobs"]
    where = [
        *("--conf-source", jobs["promote"]["tasks"][0]["python_wheel_task"]["parameters"][1]),
        *("--env", target, "--platform", "databricks"),
    ]
    for name, parameters in PEOPLES.items():
        (task,) = jobs[name]["tasks"]
        # No default stands for what a person has to say.
        assert jobs[name]["parameters"] == [{"name": given, "default": ""} for given in parameters]
        assert task["python_wheel_task"] == {
            "package_name": "lakehouse_ml",
            "entry_point": "lakehouse-ml",
            "parameters": [
                *(name, *where),
                *(f"--{given}={{{{job.parameters.{given}}}}}" for given in parameters),
            ],
        }
        # Whoever asks sees the answer; asked again by the platform, a roll-back would go back one more.
        assert task["max_retries"] == 0
        assert not {"trigger", "schedule"} & jobs[name].keys()


def test_the_entry_knows_the_commands_of_the_jobs_and_the_commands_their_parameters() -> None:
    made = {
        name: tuple(job.parameters)
        for name, job in project().values.jobs.items()
        if isinstance(job, CommandJob)
    }
    assert made == PEOPLES
    assert set(COMMANDS) == {*made}
    for name, parameters in made.items():
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        options = {option for known in command.params for option in known.opts}
        assert {f"--{given}" for given in parameters} <= options


@ON_BOTH
@pytest.mark.parametrize("target", SHARED)
def test_a_persons_command_acts_as_promote_and_people_of_modelops_alone_may_ask(
    cloud: str, target: str
) -> None:
    jobs = deployed(cloud, target)["jobs"]
    for name in PEOPLES:
        assert jobs[name]["run_as"] == jobs["promote"]["run_as"]
        starters = {who for who, level in may(jobs[name]) if level != "CAN_VIEW"}
        assert starters == {"lakehouse_ml_modelops", GIVEN["deploy_principal"]}


@EVERYWHERE
def test_jobs_run_one_at_a_time_within_limits_and_tell_when_they_fail_or_are_slow(
    cloud: str, target: str
) -> None:
    for name, job in deployed(cloud, target)["jobs"].items():
        tries = 0 if name in (*PEOPLES, "endpoint") else 1
        assert (job["max_concurrent_runs"], job["queue"]["enabled"]) == (1, True)
        assert job["email_notifications"]["on_failure"] == ["mlops@example.com"]
        assert job["health"]["rules"][0]["metric"] == "RUN_DURATION_SECONDS"
        assert job["tags"]["environment"] == target
        for task in job["tasks"]:
            assert "run_job_task" in task or (task["timeout_seconds"] > 0 and task["max_retries"] >= tries)
    alert = deployed(cloud, target)["alerts"]["no_run"]
    assert f"FROM {target}.ops.runs" in alert["query_text"]


@ON_BOTH
@pytest.mark.parametrize("target", SHARED)
def test_shared_targets_have_a_folder_of_their_own_and_run_as_service_principals(
    cloud: str, target: str
) -> None:
    root = yaml.safe_load(files_of(cloud)["databricks.yml"])["targets"][target]
    assert root["mode"] == "production"
    assert root["workspace"]["root_path"].endswith("/${bundle.target}")
    resources = deployed(cloud, target)
    ran_as = {name: job["run_as"]["service_principal_name"] for name, job in resources["jobs"].items()}
    assert ran_as["promote"] == GIVEN["promote_principal"] != ran_as["retrain"] != ran_as["daily"]
    # Promotion makes the model, and so owns it.
    assert "registered_models" not in resources


@ON_BOTH
@pytest.mark.parametrize("target", SHARED)
def test_each_release_has_a_folder_so_that_jobs_keep_the_wheel_they_run_on(cloud: str, target: str) -> None:
    files = files_of(cloud)
    paths = yaml.safe_load(files["databricks.yml"])["targets"][target]["workspace"]
    assert paths["artifact_path"] == "${workspace.root_path}/releases/${var.release}/artifacts"
    given = GIVEN | (OF_AZURE if cloud == "azure" else {})
    first, second = (
        str(resolve(files, target, given | {"release": name})) for name in ("0.1.0-a", "0.1.0-b")
    )
    folder = f"/Workspace/Applications/lakehouse_ml/{target}/releases/"
    assert f"{folder}0.1.0-a/files/dist/conf-lakehouse_ml.tar.gz" in first
    assert f"{folder}0.1.0-b/files/dist/conf-lakehouse_ml.tar.gz" in second
    assert f"{folder}0.1.0-a" not in second


@ON_BOTH
def test_a_personal_target_is_the_deployers_own(cloud: str) -> None:
    root = yaml.safe_load(files_of(cloud)["databricks.yml"])["targets"]["dev"]
    assert root["default"]
    assert "root_path" not in root["workspace"]
    assert not [job for job in root["resources"]["jobs"].values() if "run_as" in job]
    named = {name: job["name"] for name, job in deployed(cloud, "dev")["jobs"].items()}
    assert named["daily"] == "[dev ${workspace.current_user.short_name}] lakehouse_ml daily"
    assert len({*named.values()}) == len(named)


@EVERYWHERE
def test_what_the_code_names_has_that_name_where_it_is_deployed(
    cloud: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_ML_PLATFORM", "databricks")
    loader = OmegaConfigLoader(str(ROOT / "conf"), env=target, **CONFIG_LOADER_ARGS)
    root, resources = yaml.safe_load(files_of(cloud)["databricks.yml"]), deployed(cloud, target)
    # Both would rename experiments, models and schemas.
    assert root["targets"][target].get("mode") != "development"
    assert "name_prefix" not in root["targets"][target]["presets"]
    experiment = resources["experiments"]["training"]["name"]
    assert experiment == loader["mlflow"]["tracking"]["experiment"]["name"]
    assert {name: schema["name"] for name, schema in resources["schemas"].items()} == {
        name: name for name in resources["schemas"]
    }


@EVERYWHERE
def test_the_experiment_lies_in_the_folder_of_the_environment_whose_rights_it_inherits(
    cloud: str, target: str
) -> None:
    # Below /Shared everybody manages everything, whatever permissions are given there.
    name = deployed(cloud, target)["experiments"]["training"]["name"]
    assert name == f"/Applications/lakehouse_ml/{target}/training"


@EVERYWHERE
def test_only_staging_and_prod_start_by_themselves(cloud: str, target: str) -> None:
    resources = deployed(cloud, target)
    starts = [
        job[start] for job in resources["jobs"].values() for start in ("trigger", "schedule") if start in job
    ]
    starts.append(resources["alerts"]["no_run"]["schedule"])
    expected = "UNPAUSED" if target in ("staging", "prod") else "PAUSED"
    assert [start["pause_status"] for start in starts] == [expected] * 3


def test_a_preset_leaves_alone_what_says_so_itself() -> None:
    jobs = {
        "loud": {"schedule": {"pause_status": "UNPAUSED"}},
        "silent": {"schedule": {"timezone_id": "UTC"}},
        "started": {"name": "by hand"},
    }
    found = effective({"jobs": jobs}, {"presets": {"trigger_pause_status": "PAUSED"}})["jobs"]
    assert found["loud"] == jobs["loud"]
    assert found["silent"]["schedule"] == {"pause_status": "PAUSED", "timezone_id": "UTC"}
    assert found["started"] == jobs["started"]


def may(resource: dict[str, Any]) -> set[tuple[str, str]]:
    """Who may do what with a resource."""
    return {
        (entry.get("group_name") or entry["service_principal_name"], entry["level"])
        for entry in resource.get("permissions", ())
    }


def unlike_the_matrix(resources: dict[str, Any], target: str) -> list[str]:
    """Resources with other permissions than the matrix of roles gives."""
    roles = project().roles

    def given(level_of: Callable[[Row], str | None]) -> set[tuple[str, str]]:
        return {
            (roles.roles[row.role].group or GIVEN[f"{row.role}_principal"], level)
            for row in roles.rows(target)
            if (level := level_of(row))
        }

    expected = {
        **{f"jobs.{name}": given(lambda row, name=name: row.jobs.get(name)) for name in resources["jobs"]},
        "experiments.training": given(lambda row: row.experiment),
        "secret_scopes.lakehouse_ml": given(lambda row: row.secret_scope),
        "alerts.no_run": set(),
    }
    found = {path: may(resources[path.split(".")[0]][path.split(".")[1]]) for path in expected}
    return [path for path in expected if found[path] != expected[path]]


@EVERYWHERE
def test_permissions_are_those_of_the_matrix(cloud: str, target: str) -> None:
    assert unlike_the_matrix(deployed(cloud, target), target) == []


def test_permissions_of_a_target_would_open_the_secret_scope_and_are_found() -> None:
    files = dict(files_of("aws"))
    root = yaml.safe_load(files["databricks.yml"])
    reader = {"level": "CAN_VIEW", "service_principal_name": "${var.retrain_principal}"}
    root["targets"]["prod"]["permissions"] = [reader]
    opened = resolve({**files, "databricks.yml": yaml.safe_dump(root)}, "prod", GIVEN)
    assert (GIVEN["retrain_principal"], "READ") in may(opened["secret_scopes"]["lakehouse_ml"])
    assert (GIVEN["retrain_principal"], "CAN_READ") not in may(opened["experiments"]["training"])
    # Whom the matrix names keeps that level, and all others are let in.
    kept = {"jobs.promote", "experiments.training"}
    assert {*unlike_the_matrix(opened, "prod")} == {
        *(f"jobs.{name}" for name in opened["jobs"]),
        "secret_scopes.lakehouse_ml",
        "alerts.no_run",
    } - kept


@EVERYWHERE
def test_what_holds_data_is_never_taken_away(cloud: str, target: str) -> None:
    resources = deployed(cloud, target)
    for kind in ("schemas", "volumes"):
        assert all(one["lifecycle"] == {"prevent_destroy": True} for one in resources[kind].values())


@EVERYWHERE
def test_the_trigger_waits_for_the_volume_that_it_watches(cloud: str, target: str) -> None:
    resources = deployed(cloud, target)
    url = resources["jobs"]["daily"]["trigger"]["file_arrival"]["url"]
    assert url == f"/Volumes/{target}/bronze/${{resources.volumes.bronze_landing.name}}/"
    assert resources["volumes"]["bronze_landing"]["name"] == "landing"


@pytest.mark.parametrize("target", SHARED)
def test_a_person_makes_and_binds_the_very_scope_that_the_bundle_has_on_azure(target: str) -> None:
    ((key, scope),) = deployed("azure", target)["secret_scopes"].items()
    steps = (ROOT / "docs/architecture.md").read_text().replace("<env>", target)
    assert f"bundle deployment bind {key} {scope['name']} --target {target}" in steps
    # A scope that differs is not bound but made anew.
    assert f'"scope": "{scope["name"]}", "scope_backend_type": "{scope["backend_type"]}"' in steps
    assert f'"dns_name": "{scope["keyvault_metadata"]["dns_name"]}"' in steps


def test_no_endpoint_is_made_by_the_bundle() -> None:
    assert "model_serving_endpoints" not in TYPES


@ON_BOTH
@pytest.mark.parametrize("target", SHARED)
def test_each_daily_run_ends_with_the_endpoint_which_promotions_principal_brings_to_the_champion(
    cloud: str, target: str
) -> None:
    jobs = deployed(cloud, target)["jobs"]
    last = jobs["daily"]["tasks"][-1]
    assert last["run_job_task"]["job_id"] == "${resources.jobs.endpoint.id}"
    assert jobs["endpoint"]["run_as"] == jobs["promote"]["run_as"] != jobs["daily"]["run_as"]
    assert (jobs["daily"]["run_as"]["service_principal_name"], "CAN_MANAGE_RUN") in may(jobs["endpoint"])
    # Tried again, it would find under way what it asked for, and hide that the update before it failed.
    assert [task["max_retries"] for task in jobs["endpoint"]["tasks"]] == [0]


def test_no_job_gives_a_persons_word() -> None:
    jobs = values_as_written()["jobs"]
    with pytest.raises(ValidationError, match=r"jobs \['approve'\]: are run or started by others"):
        with_values(jobs={**jobs, "promote": {**jobs["promote"], "then": "approve"}})


@pytest.mark.parametrize("compute", ["serverless", "cluster"])
@pytest.mark.parametrize("target", TARGETS)
def test_the_clouds_differ_in_storage_secrets_and_machines_only(target: str, compute: str) -> None:
    found = {*differences(deployed("aws", target, compute), deployed("azure", target, compute))}
    assert {path for path in found if not MAY_DIFFER.fullmatch(path)} == set()
    assert ".volumes.bronze_landing.storage_location" in found
    assert (".jobs.daily.job_clusters[0].new_cluster.node_type_id" in found) == (compute == "cluster")


def test_the_files_of_the_clouds_differ_in_the_root_file_only_and_there_in_listed_places() -> None:
    aws, azure = map(files_of, CLOUDS)
    assert {path for path in aws if aws[path] != azure[path]} == {"databricks.yml"}
    roots = [yaml.safe_load(files["databricks.yml"]) for files in (aws, azure)]
    found = {*differences(*roots)}
    assert {path for path in found if not ROOT_MAY_DIFFER.fullmatch(path)} == set()
    assert len(found) == 3 + 2 * 4 + 4


def test_a_difference_beyond_the_list_is_found() -> None:
    changed = deepcopy(deployed("azure", "prod"))
    changed["jobs"]["daily"]["max_concurrent_runs"] = 2
    found = {*differences(deployed("aws", "prod"), changed)}
    assert {path for path in found if not MAY_DIFFER.fullmatch(path)} == {".jobs.daily.max_concurrent_runs"}


def beyond_staging(prod: dict[str, Any]) -> set[str]:
    """Where prod differs from what staging is deployed with, beside its name and what is listed."""
    staging = yaml.safe_load(yaml.safe_dump(deployed("aws", "staging")).replace("staging", "prod"))
    return {path for path in differences(staging, prod) if not PROD_MAY_DIFFER.fullmatch(path)}


def test_prod_is_deployed_as_staging_but_for_its_consumers() -> None:
    prod = deepcopy(deployed("aws", "prod"))
    assert beyond_staging(prod) == set()
    prod["jobs"]["promote"]["run_as"] = {"service_principal_name": "another"}
    assert beyond_staging(prod) == {".jobs.promote.run_as.service_principal_name"}


def command(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["bundle", *arguments], obj=bootstrap_project(ROOT))


def variables(given: dict[str, str]) -> Iterator[str]:
    return (part for name, value in given.items() for part in ("--var", f"{name}={value}"))


def test_a_target_is_shown_with_its_variables_and_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUNDLE_VAR_warehouse_id", "from the environment")
    given = {name: value for name, value in GIVEN.items() if name != "warehouse_id"}
    shown = command("--cloud", "aws", "--show", "prod", *variables(given))
    assert shown.exit_code == 0, shown.output
    resources = yaml.safe_load(shown.stdout)
    assert resources["alerts"]["no_run"]["warehouse_id"] == "from the environment"
    assert resources["schemas"]["gold"]["storage_root"] == "s3://lakehouse-ml-prod/gold"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--cloud", "aws", "--show", "pord"), "no target 'pord'; there are dev, test, staging, prod"),
        (
            ("--cloud", "aws", "--show", "prod"),
            "variables without a value: daily_principal, deploy_principal",
        ),
        (("--cloud", "aws", "--show", "prod", "--var", "wharehouse=1"), "no variable wharehouse; there are"),
        (("--show", "prod"), "name one --cloud"),
        (("--cloud", "gcp"), "'gcp' is not one of 'aws', 'azure'"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_sentence(arguments: tuple[str, ...], told: str) -> None:
    refused = command(*arguments)
    assert refused.exit_code != 0
    assert told in refused.output
    assert "Traceback" not in refused.output


def test_a_reference_that_leads_nowhere_is_named() -> None:
    files = bundle_files(with_values(experiment="/${bundle.nmae}"), "aws")
    with pytest.raises(BundleError, match=r"\$\{bundle.nmae\}: leads nowhere"):
        resolve(files, "prod", GIVEN)


def test_a_cloud_that_is_not_described_is_named() -> None:
    with pytest.raises(BundleError, match=r"no cloud 'gcp' in bundle.yml; there are aws, azure"):
        bundle_files(project(), "gcp")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"targets": {"dev": {"mode": "development"}}}, "Extra inputs are not permitted"),
        ({"retries": 3}, "Extra inputs are not permitted"),
        (
            {"jobs": {"retrain": {"description": "d", "pipelines": ["training"], "then": "publish"}}},
            "publish",
        ),
        ({"jobs": {"daily": {"description": "d", "pipelines": []}}}, "at least 1 item"),
        (
            {"jobs": {"approve": {"description": "d", "command": "approve", "pipelines": ["promotion"]}}},
            "Extra inputs are not permitted",
        ),
        (
            {"jobs": {"approve": {"description": "d", "command": "approve", "cron": "0 0 6 * * ?"}}},
            "Extra inputs are not permitted",
        ),
        ({"targets": {"qa": {}}}, "hosts: must name the targets, qa"),
    ],
)
def test_values_that_make_no_bundle_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        with_values(**changes)


def test_a_job_has_one_start() -> None:
    jobs = values_as_written()["jobs"]
    with pytest.raises(ValidationError, match="by arrivals or by cron"):
        with_values(jobs={**jobs, "daily": {**jobs["daily"], "cron": "0 0 6 * * ?"}})


def test_what_the_job_installs_is_pinned_as_tested_and_without_hashes() -> None:
    installed = files_of("aws")["requirements.txt"].splitlines()[1:]
    pinned = (ROOT / "requirements/job.txt").read_text()
    assert len(installed) == len(re.findall(r"^\S+==", pinned, flags=re.MULTILINE)) > 50
    assert all(line.split(" ;")[0] in pinned and "--hash" not in line for line in installed)


def test_a_resource_that_is_no_longer_made_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources/former.job.yml").write_text("resources: {}\n")
    write_bundle({"databricks.yml": "a: 1\n", "resources/daily.job.yml": "b: 2\n"}, tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*.yml")) == ["daily.job.yml", "databricks.yml"]


def test_only_these_modules_know_the_vendors_sdk() -> None:
    source = ROOT / "src/lakehouse_ml"
    found = {
        p.relative_to(source).as_posix() for p in source.rglob("*.py") if "databricks.sdk" in p.read_text()
    }
    edge = {"datasets/training_job.py", "datasets/serving_endpoint.py"}
    assert found == {"deploy/whole.py", "deploy/secrets.py", *edge}


def test_the_vendors_command_line_its_package_and_its_schema_are_not_used() -> None:
    locked = (ROOT / "requirements/dev.txt").read_text() + (ROOT / "pyproject.toml").read_text()
    assert "databricks-bundles" not in locked
    assert "databricks-cli" not in locked
    assert not list((ROOT / "deploy").rglob("*schema*.json"))
