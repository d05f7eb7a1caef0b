"""The pipelines of delivery: least rights, pinned parts, no stored secret, the same make targets on both platforms."""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
GITHUB = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))
AZURE = [ROOT / "azure-pipelines.yml", *sorted((ROOT / ".azure").glob("*.yml"))]
PINNED = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
TARGETS = {"lint", "unit", "spark", "loops", "prove-job", "scan", "audit", "release", "deploy"}
# The job's own, which end with it.
TOKENS = {"github.token", "System.AccessToken"}


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def jobs_of(path: Path) -> dict[str, Any]:
    return read(path)["jobs"]


def unpinned(text: str) -> list[str]:
    """Parts of others that are not named by a commit and its version."""
    used = [line.strip().removeprefix("- ") for line in text.splitlines() if re.match(r"\s*(- )?uses:", line)]
    return [line for line in used if not line.startswith("uses: ./") and not PINNED.match(line)]


def make_targets(paths: list[Path]) -> set[str]:
    return {t for path in paths for t in re.findall(r"(?<![\w-])make ([a-z-]+)", path.read_text())}


def tokens(text: str) -> Iterator[str]:
    """What could be a credential: everything that is read from a store of secrets, and every token."""
    yield from re.findall(r"\$\{\{ *(secrets\.\w+|\w+\.token) *\}\}", text)
    yield from re.findall(r"\$\(([\w.]*(?:[Tt]oken|TOKEN|[Ss]ecret|SECRET|[Kk]ey_?[Vv]alue)\w*)\)", text)


@pytest.mark.parametrize("path", [*GITHUB, *ACTIONS], ids=lambda path: path.name)
def test_parts_of_others_are_pinned_to_a_commit(path: Path) -> None:
    assert unpinned(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "      - uses: actions/checkout@v6",
        "      - uses: actions/checkout@df4cb1c069e1874edd31b4311f1884172cec0e10",
        "        uses: databricks/setup-cli@main # v1.0.0",
    ],
)
def test_what_is_not_pinned_is_found(line: str) -> None:
    assert len(unpinned(f"steps:\n{line}\n")) == 1


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.name)
def test_a_workflow_has_no_rights_but_those_that_its_jobs_name(path: Path) -> None:
    assert read(path)["permissions"] == {}
    for name, job in jobs_of(path).items():
        rights = job["permissions"]
        assert {right for right, level in rights.items() if level == "write"} <= {"id-token"}, name
        deploys = path.name == "deploy.yml" or str(job.get("uses", "")).endswith("deploy.yml")
        assert ("id-token" in rights) == deploys, name


def test_a_pull_request_reaches_no_environment_and_no_login() -> None:
    # PyYAML reads the key as a boolean.
    started_by = {path.name: read(path)[True] for path in GITHUB}
    assert [name for name, on in started_by.items() if "pull_request" in on] == ["checks.yml"]
    assert "pull_request_target" not in "".join(map(str, started_by.values()))
    assert "environment" not in str(jobs_of(ROOT / ".github/workflows/checks.yml"))


@pytest.mark.parametrize("path", [*GITHUB, *ACTIONS, *AZURE], ids=lambda path: path.name)
def test_no_stored_secret_is_used(path: Path) -> None:
    assert set(tokens(path.read_text())) <= TOKENS


def test_a_stored_secret_is_found() -> None:
    text = "a: ${{ secrets.DATABRICKS_TOKEN }}\nb: $(DATABRICKS_TOKEN)\nc: $(clientSecret)\nd: $(CLOUD)"
    assert set(tokens(text)) == {"secrets.DATABRICKS_TOKEN", "DATABRICKS_TOKEN", "clientSecret"}


def test_both_platforms_call_the_same_targets() -> None:
    assert make_targets(GITHUB) == make_targets(AZURE) == TARGETS
    assert set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) >= TARGETS


def test_a_release_gets_the_reports_of_every_job_that_ran_tests() -> None:
    reports = {"test-reports": {"unit", "spark"}, "loop-reports": {"loops"}}
    hub = jobs_of(ROOT / ".github/workflows/checks.yml").values()
    uploads = [
        step["with"] for job in hub for step in job["steps"] if "upload-artifact" in step.get("uses", "")
    ]
    assert {upload["if-no-files-found"] for upload in uploads} == {"error"}
    checks, release = (
        {stage["stage"]: stage for stage in read(AZURE[0])["stages"]}[name] for name in ("checks", "release")
    )
    assert published(hub) == published(checks["jobs"]) == reports
    fetched = [
        step.get("with", {}) for step in jobs_of(ROOT / ".github/workflows/deliver.yml")["release"]["steps"]
    ]
    assert {"pattern": "*-reports", "merge-multiple": True, "path": "build/tests"} in fetched
    assert {"download": "current", "patterns": "*-reports/*.xml"} in release["jobs"][0]["steps"]


def published(jobs: Iterable[dict[str, Any]]) -> dict[str, set[str]]:
    """Targets that write reports of tests, by the artifact that their job publishes."""
    found: dict[str, set[str]] = {}
    for job in jobs:
        asked = set(re.findall(r"make (unit|spark|loops)\b", str(job["steps"])))
        names = [step.get("artifact") or step.get("with", {}).get("name") for step in job["steps"]]
        if asked:
            found |= {str(next(filter(None, names), None)): asked}
    return found


def test_every_platform_looks_at_pages_in_a_browser_or_fails() -> None:
    # GitHub sets CI itself.
    prepared = [".ci/run", ".github/actions/prepare/action.yml", ".azure/prepare.yml"]
    assert all(".ci/browser" in (ROOT / path).read_text() for path in prepared)
    assert {"name": "CI", "value": "true"} in read(ROOT / "azure-pipelines.yml")["variables"]
    assert "export CI=true" in (ROOT / ".ci/run").read_text()


def test_prod_takes_what_staging_took_when_people_have_approved() -> None:
    delivered = jobs_of(ROOT / ".github/workflows/deliver.yml")
    assert delivered["prod"]["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert delivered["prod"]["with"] == {"target": "prod"}
    assert delivered["staging"]["needs"] == "release"
    assert delivered["release"]["needs"] == "checks"
    deployed = (ROOT / ".github/workflows/deploy.yml").read_text()
    assert (
        read(ROOT / ".github/workflows/deploy.yml")["jobs"]["deploy"]["environment"] == "${{ inputs.target }}"
    )
    assert "make release" not in deployed
    assert "kedro package" not in deployed


def test_on_azure_too() -> None:
    stages = {stage["stage"]: stage for stage in read(ROOT / "azure-pipelines.yml")["stages"]}
    assert stages["prod"]["condition"] == "startsWith(variables['Build.SourceBranch'], 'refs/tags/v')"
    for name in ("staging", "prod"):
        (job,) = stages[name]["jobs"]
        assert job["environment"] == name
        (step,) = job["strategy"]["runOnce"]["deploy"]["steps"]
        assert step["template"] == ".azure/deploy.yml"
        assert step["parameters"]["target"] == name
    assert "make release" not in (ROOT / ".azure/deploy.yml").read_text()


@pytest.mark.slow
def test_on_azure_a_release_is_asked_for_by_organisation_and_project_wherever_the_repository_lies(
    tmp_path: Path,
) -> None:
    (step,) = (
        step for step in read(ROOT / ".azure/deploy.yml")["steps"] if "az pipelines" in step.get("script", "")
    )
    (tmp_path / "az").write_text('#!/bin/sh\necho "$@" >> calls\necho 7\n')
    (tmp_path / "az").chmod(0o755)
    given = {**step["env"], "BUILD": "", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", step["script"]], cwd=tmp_path, env=given, capture_output=True, check=True)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 3
    where = "--organization $(System.CollectionUri) --project $(System.TeamProject)"
    assert [call for call in calls if where not in call] == []


def test_both_platforms_give_the_bundle_the_same_variables() -> None:
    given = [
        set(re.findall(r"BUNDLE_VAR_(\w+):", (ROOT / path).read_text()))
        for path in (".github/workflows/deploy.yml", ".azure/deploy.yml")
    ]
    asked = {name for path in (ROOT / "deploy").glob("*/databricks.yml") for name in needed(read(path))}
    assert given[0] == given[1] == asked


def needed(bundle: dict[str, Any]) -> set[str]:
    """Variables of a bundle that have no value of their own."""
    return {name for name, variable in bundle["variables"].items() if "default" not in variable}


GIVEN = {"TARGET": "staging", "CLOUD": "azure", "COMMIT": "0" * 40, "STAGED": "staged/release-0"}


def refused(given: dict[str, str]) -> str:
    """What `make deploy` says to these variables before it does anything."""
    words = [f"{name}={value}" for name, value in given.items()]
    environment = {name: value for name, value in os.environ.items() if name not in GIVEN}
    made = ["make", "--silent", "given", *words]
    done = subprocess.run(made, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (done.stdout == "")
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("missing", GIVEN)
@pytest.mark.parametrize("empty", [True, False])
def test_a_deployment_has_no_default(missing: str, empty: bool) -> None:
    given = {name: value for name, value in GIVEN.items() if name != missing}
    assert refused(given | ({missing: ""} if empty else {})) == f"make deploy: needs a value for {missing}"


@pytest.mark.slow
def test_a_deployment_that_is_told_all_goes_on() -> None:
    assert refused(GIVEN) == ""
    assert re.search("^deploy: given ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def strangers(owners: str) -> list[str]:
    """Paths that are not there, and owners that are no group of people, in a file of code owners."""
    roles = read(ROOT / "conf/base/roles.yml")["roles"].values()
    teams = {f"@your-organisation/{role['group']}" for role in roles if "group" in role}
    lines = [line.split() for line in owners.splitlines() if line and not line.startswith("#")]
    absent = [path for path, *_ in lines if path != "*" and not (ROOT / path.lstrip("/")).exists()]
    return absent + [owner for _, *named in lines for owner in named if owner not in teams]


def test_every_change_has_an_owner_who_is_a_role() -> None:
    owners = (ROOT / ".github/CODEOWNERS").read_text()
    assert strangers(owners) == []
    assert "\n* @" in owners
    assert strangers("/gone/ @your-organisation/nobody\n") == ["/gone/", "@your-organisation/nobody"]
