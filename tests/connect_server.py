"""A Spark Connect server in a process of its own: who connects to it has no JVM."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pyspark

SPARK_HOME = Path(pyspark.__file__).parent
SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
SECONDS_TO_START = 300
WORKERS = {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


class Server(NamedTuple):
    """A server that runs: where it is reached, and its process."""

    address: str
    pid: int


def free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def connect_server(conf: Mapping[str, str], folder: Path) -> Iterator[Server]:
    """A server with these settings; it ends with the block.

    Args:
        conf: Settings of Spark, e.g. ``conf/base/spark.yml``.
        folder: Where the server runs, and leaves ``server.log``.
    """
    port = free_port()
    settings = {**conf, "spark.connect.grpc.binding.port": str(port)}
    options = [option for key, value in settings.items() for option in ("--conf", f"{key}={value}")]
    jar = next((SPARK_HOME / "jars").glob("spark-connect_*.jar"))
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [str(SPARK_HOME / "bin/spark-submit"), "--class", SERVER, *options, str(jar)],
            cwd=folder,
            # Its Python workers need our packages, wherever it runs.
            env={**os.environ, "SPARK_HOME": str(SPARK_HOME), **WORKERS},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await(server, port, folder / "server.log")
        yield Server(f"sc://127.0.0.1:{port}", server.pid)
    finally:
        server.terminate()
        server.wait(timeout=30)


def _await(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    for _ in range(SECONDS_TO_START * 5):
        assert server.poll() is None, log.read_text()[-4000:]
        with closing(socket.socket()) as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise TimeoutError(f"no Spark Connect server after {SECONDS_TO_START} s:\n{log.read_text()[-4000:]}")
