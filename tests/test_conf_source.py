import os
import shutil
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project

from lakehouse_ml.cli import cli
from lakehouse_ml.cli.packaging import refuse_packed_credentials
from lakehouse_ml.conf_source import ConfSourceError, check_conf_source, environments, files_of
from processes import ROOT

pytestmark = pytest.mark.slow

CONF = ROOT / "conf"
PLANTED = [
    "local/credentials.json",
    "local/anything.yaml",
    "prod/credentials.yml",
    "prod/credentials_warehouse.yml",
    "base/Credentials/warehouse.yml",
    "prod/secrets.yml",
]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONF, tmp_path / "conf"))


def plant(conf: Path, file: str) -> None:
    (conf / file).parent.mkdir(exist_ok=True)
    (conf / file).write_text("password: tr0ub4dor\n")


def packed(conf: Path) -> Path:
    """The archive, by the very command that Kedro packs with."""
    archive = conf.parent / "conf-lakehouse_ml.tar.gz"
    command = ["tar", "--exclude=local/*.yml", "-czf", str(archive), f"--directory={conf.parent}", conf.name]
    subprocess.run(command, check=True)
    return archive


@pytest.mark.parametrize("environment", ["dev", "prod", "staging", "test"])
def test_every_environment_is_found_in_the_folder_and_in_its_archive(conf: Path, environment: str) -> None:
    check_conf_source(str(conf), environment)
    check_conf_source(str(packed(conf)), environment)


def test_an_archive_holds_the_files_of_its_folder(conf: Path) -> None:
    assert files_of(packed(conf)) == files_of(conf)
    assert PurePosixPath("prod/globals.yml") in files_of(conf)


@pytest.mark.parametrize("environment", ["nope", "base", "local", None])
def test_an_unknown_environment_is_refused_with_those_that_exist(conf: Path, environment: str | None) -> None:
    for source in (conf, packed(conf)):
        with pytest.raises(ConfSourceError) as refused:
            check_conf_source(str(source), environment)
        assert str(refused.value) == (
            f"no environment {environment!r} in {source}; choose one of dev, prod, staging, test"
        )


@pytest.mark.parametrize("given", [None, "conf", "./conf", ""])
def test_a_path_that_hangs_on_the_working_directory_is_refused(given: str | None) -> None:
    assert Path(ROOT / "conf").is_dir()
    with pytest.raises(ConfSourceError, match="must be an absolute path, is"):
        check_conf_source(given, "test")


def test_what_is_not_there_and_what_is_no_archive_are_named(tmp_path: Path) -> None:
    (tmp_path / "conf.tar.gz").write_bytes(b"no archive")
    for name in ("conf.tar.gz", "absent"):
        with pytest.raises(ConfSourceError, match=f"{name} is no folder and no tar archive"):
            check_conf_source(str(tmp_path / name), "test")


@pytest.mark.parametrize("file", PLANTED)
def test_neither_packing_nor_a_job_takes_credentials(conf: Path, file: str) -> None:
    plant(conf, file)
    with pytest.raises(ConfSourceError, match=f"would carry secrets in {file}"):
        refuse_packed_credentials(conf)
    with pytest.raises(ConfSourceError, match=f"would carry secrets in {file}") as refused:
        check_conf_source(str(packed(conf)), "test")
    assert "tr0ub4dor" not in str(refused.value)


def test_the_command_refuses_before_it_builds_anything(conf: Path) -> None:
    plant(conf, "prod/credentials.yml")
    metadata = bootstrap_project(ROOT)._replace(project_path=conf.parent)
    refused = CliRunner().invoke(cli, ["package"], obj=metadata)
    assert refused.exit_code == 1
    assert "would carry secrets in prod/credentials.yml: keep them in conf/local/*.yml" in refused.output
    assert not (conf.parent / "dist").exists()


def test_personal_settings_that_kedro_leaves_out_are_no_hindrance(conf: Path) -> None:
    plant(conf, "local/credentials.yml")
    refuse_packed_credentials(conf)
    check_conf_source(str(packed(conf)), "test")
    with tarfile.open(packed(conf)) as archive:
        assert not [name for name in archive.getnames() if "credentials" in name]
    # A developer's own folder, from which nothing is shipped.
    check_conf_source(str(conf), "test")


def test_the_projects_configuration_can_be_packed() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "conf"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [PurePosixPath(line).relative_to("conf") for line in tracked.stdout.split()]
    assert environments(files) == ["dev", "prod", "staging", "test"]
    assert not [file for file in files if "credentials" in os.fspath(file)]
