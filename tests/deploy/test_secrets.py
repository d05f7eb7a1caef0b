"""Secrets are named in the configuration, found where the process runs, and shown nowhere."""

import base64
import logging
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml
from kedro.config import OmegaConfigLoader

from lakehouse_ml.deploy.grants import secret_scope
from lakehouse_ml.deploy.secrets import Secret, SecretError, secret
from lakehouse_ml.platform import PLATFORM_VARIABLE
from lakehouse_ml.settings import CONFIG_LOADER_ARGS
from project_builders import CONF
from role_builders import roles_of
from secret_scopes import TOKEN, Workspace, workspace

pytestmark = pytest.mark.slow

PLANTED = "pl4nted-value-of-the-secret"
NAME = Secret("lakehouse_ml_prod", "alert-webhook")


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A laptop's project folder without any secret."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABRICKS_RUNTIME_VERSION", PLATFORM_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv(NAME.variable, raising=False)
    return tmp_path


@pytest.fixture
def databricks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A process of a job, and the workspace that it belongs to."""
    with workspace({NAME.scope: {NAME.key: PLANTED, "of_another": None, "nothing": ""}}) as server:
        for name in ("HOST", "TOKEN", "RUNTIME_VERSION"):
            monkeypatch.delenv(f"DATABRICKS_{name}", raising=False)
        monkeypatch.setenv("DATABRICKS_HOST", server.host)
        monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
        monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "19.0")
        monkeypatch.setenv(PLATFORM_VARIABLE, "databricks")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server


def write_local(folder: Path, content: str) -> None:
    (folder / "conf/local").mkdir(parents=True)
    (folder / "conf/local/secrets.yml").write_text(content)


@pytest.mark.parametrize("environment", roles_of().environments)
def test_conf_names_the_secret_of_its_own_environment(environment: str) -> None:
    loader = OmegaConfigLoader(str(CONF), env=environment, **CONFIG_LOADER_ARGS)
    named = loader["catalog"]["alert_messages"]["webhook"]["address"]
    assert named == Secret(secret_scope(roles_of(), environment), "alert-webhook")


@pytest.mark.parametrize("key", ["alert_webhook", "alert.webhook", "", "a" * 128])
def test_a_name_that_a_key_vault_does_not_take_is_refused(key: str) -> None:
    with pytest.raises(SecretError, match="letters, digits and hyphens"):
        secret("lakehouse_ml_prod", key)


def test_the_configuration_shows_the_name_and_not_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME.variable, PLANTED)
    loader = OmegaConfigLoader(str(CONF), env="prod", **CONFIG_LOADER_ARGS)
    entry = loader["catalog"]["alert_messages"]
    shown = f"{entry} {entry!r} {yaml.dump(entry)} {yaml.safe_dump(entry)}"
    assert "${secret:lakehouse_ml_prod,alert-webhook}" in shown
    assert PLANTED not in shown
    assert entry["webhook"]["address"].reveal() == PLANTED


def test_the_variable_is_taken_before_the_file(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_local(nowhere, "lakehouse_ml_prod: {alert-webhook: from the file}")
    assert NAME.reveal() == "from the file"
    assert NAME.variable == "LAKEHOUSE_ML_PROD_ALERT_WEBHOOK"
    monkeypatch.setenv(NAME.variable, PLANTED)
    assert NAME.reveal() == PLANTED


def test_a_missing_secret_is_named_with_the_way_to_set_it() -> None:
    with pytest.raises(SecretError) as refused:
        NAME.reveal()
    assert str(refused.value) == (
        "secret lakehouse_ml_prod/alert-webhook is not set: set environment variable "
        "LAKEHOUSE_ML_PROD_ALERT_WEBHOOK, or alert-webhook below lakehouse_ml_prod in conf/local/secrets.yml"
    )


@pytest.mark.parametrize(
    "content", ["", "lakehouse_ml_prod:", "[1]", "lakehouse_ml_prod: {alert-webhook: [1]}"]
)
def test_a_file_that_holds_no_such_secret_gives_none(nowhere: Path, content: str) -> None:
    write_local(nowhere, content)
    with pytest.raises(SecretError, match="is not set"):
        NAME.reveal()


def test_a_file_that_cannot_be_read_is_not_quoted(nowhere: Path) -> None:
    write_local(nowhere, f"lakehouse_ml_prod: {{alert-webhook: '{PLANTED}")
    with pytest.raises(SecretError, match=r"conf/local/secrets\.yml is no YAML") as refused:
        NAME.reveal()
    assert PLANTED not in f"{refused.value} {refused.value.__cause__} "
    assert refused.value.__suppress_context__


def test_on_databricks_the_scope_is_asked_and_nothing_else(
    databricks: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME.variable, "from the variable")
    assert NAME.reveal() == PLANTED
    assert databricks.asked[-1] == "/api/2.0/secrets/get?scope=lakehouse_ml_prod&key=alert-webhook"


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("of_nobody", "secret lakehouse_ml_prod/of_nobody cannot be read (ResourceDoesNotExist)"),
        ("of_another", "secret lakehouse_ml_prod/of_another cannot be read (PermissionDenied)"),
        ("nothing", "secret lakehouse_ml_prod/nothing is empty"),
    ],
)
@pytest.mark.usefixtures("databricks")
def test_on_databricks_a_secret_that_cannot_be_had_is_named(key: str, told: str) -> None:
    with pytest.raises(SecretError) as refused:
        Secret("lakehouse_ml_prod", key).reveal()
    assert told in str(refused.value)
    assert TOKEN not in f"{refused.value} {refused.value.__cause__}"


class Runtime:
    """What the vendor's runtime puts into a process: its own object, which alone may ask for values."""

    def __init__(self) -> None:
        self.dbutils = SimpleNamespace(secrets=self)

    def get(self, scope: str, key: str) -> str:
        if key == "of_nobody":
            raise RuntimeError(f"an error of the JVM that quotes {PLANTED}")
        return f"{PLANTED} of {scope}/{key}"

    def get_namespace_globals(self) -> dict[str, object]:
        return {"dbutils": self.dbutils}

    def getOrCreate(self) -> "Runtime":
        return self


def test_in_a_job_the_runtimes_own_object_is_asked(
    databricks: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = ModuleType("dbruntime")
    runtime.UserNamespaceInitializer = Runtime()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "dbruntime", runtime)
    # Imported again: it looks for the runtime once.
    monkeypatch.delitem(sys.modules, "databricks.sdk.runtime", raising=False)
    assert NAME.reveal() == f"{PLANTED} of lakehouse_ml_prod/alert-webhook"
    with pytest.raises(SecretError, match=r"of_nobody cannot be read \(RuntimeError\)") as refused:
        Secret("lakehouse_ml_prod", "of_nobody").reveal()
    assert PLANTED not in f"{refused.value} {refused.value.__cause__}"
    assert not [path for path in databricks.asked if "secrets" in path]


@pytest.mark.usefixtures("databricks")
def test_looking_a_secret_up_logs_no_value(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    # Loud, as an installation may have it: the client then logs what it is answered.
    caplog.set_level(logging.DEBUG, "databricks.sdk")
    assert NAME.reveal() == PLANTED
    for value in (PLANTED, base64.b64encode(PLANTED.encode()).decode(), TOKEN):
        assert value not in caplog.text
    logging.getLogger("databricks.sdk").debug("other talk")
    assert "other talk" in caplog.text


def test_a_name_stays_a_name_when_it_is_copied_or_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME.variable, PLANTED)
    kept = pickle.dumps(NAME)
    assert PLANTED.encode() not in kept
    assert pickle.loads(kept) == NAME
    assert f"{NAME} {NAME!r} {hash(NAME)}".startswith("secret lakehouse_ml_prod/alert-webhook")
