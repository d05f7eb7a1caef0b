"""Runs in processes of their own, as a user or a job starts them."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
# Java compiles code for the long run; what lives for some minutes is done sooner without. The quick compiler alone has
# 48 MB for what it compiles, which the whole loop fills: from there on Java would only interpret.
SHORT_LIVED = {
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -Xms1g -Xmn400m -XX:MetaspaceSize=300m "
    "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -Duser.timezone=UTC -Dderby.system.home=/tmp"
}
# So does Spark; a few rows are read sooner without.
QUICK_TO_START = {
    **SHORT_LIVED,
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


def small_spark(warehouse: Path) -> dict[str, str]:
    """The real settings of Spark, but so that two sessions fit beside a whole run of its own."""
    conf = yaml.safe_load((ROOT / "conf/base/spark.yml").read_text())
    small = {"spark.driver.memory": "3g", "spark.sql.shuffle.partitions": "2"}
    return {**conf, **QUICK_TO_START, **small, "spark.sql.warehouse.dir": str(warehouse)}


def project_at(folder: Path, spark: Mapping[str, str | None] | None = None) -> Path:
    """A project folder with the real configuration and no data.

    Args:
        folder: Where.
        spark: Settings of Spark that differ from the real ones; None takes one out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "conf", folder / "conf")
    (folder / "conf/test/spark.yml").write_text(yaml.safe_dump(dict(spark or {})))
    return folder


def start_run(project: Path, *arguments: str, env: str = "test") -> "subprocess.Popen[str]":
    """Start ``kedro run`` there, as the packaged project, in a process group of its own."""
    command = [
        sys.executable,
        "-m",
        "lakehouse_ml",
        "--conf-source",
        str(project / "conf"),
        "--env",
        env,
        *arguments,
    ]
    return subprocess.Popen(
        command,
        cwd=project,
        env={**os.environ, "DO_NOT_TRACK": "1", "COLUMNS": "200"},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(run: "subprocess.Popen[str]") -> str:
    """Wait for a run to succeed; its output."""
    output, _ = run.communicate(timeout=1800)
    assert run.returncode == 0, output[-20000:]
    return output


def kill(run: "subprocess.Popen[str]") -> None:
    """SIGKILL the run with all that it started: nothing gets to clean up."""
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
