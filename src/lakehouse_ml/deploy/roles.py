"""Who may do what where: the matrix of ``conf/base/roles.yml``, and what must never stand in it."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Privilege = Literal[
    "USE_CATALOG",
    "CREATE_SCHEMA",
    "USE_SCHEMA",
    "SELECT",
    "MODIFY",
    "CREATE_TABLE",
    "CREATE_MODEL",
    "EXECUTE",
    "READ_VOLUME",
    "WRITE_VOLUME",
]
JobLevel = Literal["CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE"]
ExperimentLevel = Literal["CAN_READ", "CAN_EDIT", "CAN_MANAGE"]
ScopeLevel = Literal["READ", "WRITE", "MANAGE"]
EndpointLevel = Literal["CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"]
Privileges = tuple[Privilege, ...]

LEDGER = "ops.promotion_ledger"
MODELS = "ml"
# Jobs that do what a person decided, and who may start them: whoever deploys manages every job.
_LAST_WORD, _HAVE_IT = ("approve", "rollback"), ("modelops", "deploy")
# Makes the other tables of ops; `kedro grants` then gives the ledger to promote, whoever made it.
_MAKES_OPS = "daily"
_EVERYONE = {"users", "account users"}
_WRITING = {"MODIFY", "CREATE_TABLE", "CREATE_MODEL", "CREATE_SCHEMA", "WRITE_VOLUME"}
_READING = {"USE_CATALOG", "USE_SCHEMA", "SELECT"}


class RolesError(ValueError):
    """The matrix does not know what was asked for; the message names it and what there is."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Role(_Frozen):
    """Who: a group of the account, or a service principal of each environment.

    Attributes:
        group: Name of the group.
        service_principal: Name of the service principal, with ``{environment}``.
    """

    group: str | None = None
    service_principal: str | None = None

    @model_validator(mode="after")
    def _is_one_kind(self) -> "Role":
        if (self.group is None) == (self.service_principal is None):
            raise ValueError("a role is either a group or a service_principal")
        if self.group is not None and self.group.lower() in _EVERYONE:
            raise ValueError(f"group {self.group}: nothing is granted to everyone; name a group of people")
        if self.service_principal is not None and "{environment}" not in self.service_principal:
            raise ValueError(f"{self.service_principal}: must hold {{environment}}, since it works in one")
        return self


class Row(_Frozen):
    """What one role may do in some environments.

    Attributes:
        role: Name in ``roles``.
        environments: Where.
        catalog: Privileges on the environment's catalog.
        schemas: By schema; they hold for all tables, models and volumes of it.
        tables: By ``<schema>.<table>``.
        volumes: By ``<schema>.<volume>``.
        jobs: Level by job.
        experiment: Level on the environment's experiment.
        secret_scope: Level on the environment's secret scope.
        endpoint: Level on the environment's serving endpoint.
    """

    role: str
    environments: tuple[str, ...] = Field(min_length=1)
    catalog: Privileges = ()
    schemas: Mapping[str, Privileges] = {}
    tables: Mapping[str, Privileges] = {}
    volumes: Mapping[str, Privileges] = {}
    jobs: Mapping[str, JobLevel] = {}
    experiment: ExperimentLevel | None = None
    secret_scope: ScopeLevel | None = None
    endpoint: EndpointLevel | None = None

    @property
    def data(self) -> Iterator[tuple[str, Privileges]]:
        """Object and privileges, of all that lies in the catalog."""
        yield "catalog", self.catalog
        for objects in (self.schemas, self.tables, self.volumes):
            yield from objects.items()


class Roles(_Frozen):
    """The matrix, and the names of those whom it is about.

    Attributes:
        roles: Who, by role.
        application_ids: Unity Catalog's name of each service principal in the environment at hand; null: not known.
        run_as: Role of the service principal that each job runs as.
        personal: Environments where a job runs as the person who deployed it.
        unmasked: Roles that see restricted columns as they are.
        copies_from: Environments whose models the environment's promotion may load, by environment.
        secret_scope: Name of the environment's secret scope, with ``{environment}``.
        matrix: What each role may do.
    """

    roles: Mapping[str, Role]
    application_ids: Mapping[str, str | None]
    run_as: Mapping[str, str]
    personal: tuple[str, ...]
    unmasked: tuple[str, ...]
    copies_from: Mapping[str, tuple[str, ...]]
    secret_scope: str
    matrix: tuple[Row, ...]

    @model_validator(mode="after")
    def _is_sound(self) -> "Roles":
        faults = [*self._unknown(), *self._overreaching()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def environments(self) -> tuple[str, ...]:
        """Every environment that the matrix is about."""
        return tuple(sorted(self.copies_from))

    def rows(self, environment: str) -> tuple[Row, ...]:
        """The rows of an environment.

        Raises:
            RolesError: The matrix does not know it.
        """
        if environment not in self.copies_from:
            raise RolesError(
                f"no environment {environment!r} in roles.yml; there are {', '.join(self.environments)}"
            )
        return tuple(row for row in self.matrix if environment in row.environments)

    def refuse_copy(self, source: str, target: str) -> None:
        """Make sure that an environment's promotion may load the models of another.

        Raises:
            RolesError: It may not, or the matrix does not know the environment.
        """
        self.rows(target)
        allowed = self.copies_from[target]
        if source not in allowed:
            raise RolesError(
                f"{target} takes no version from {source}: copies_from of roles.yml allows "
                f"{', '.join(allowed) or 'no environment'}"
            )

    def held(self, role: str, environment: str, name: str) -> frozenset[str]:
        """Privileges of a role on a catalog object, with those that its schema and the catalog hand down.

        Args:
            role: Name in ``roles``.
            environment: Where.
            name: ``catalog``, ``<schema>``, or ``<schema>.<table or volume>``.
        """
        above = {"catalog", name.split(".", maxsplit=1)[0], name}
        rows = (row for row in self.rows(environment) if row.role == role)
        return frozenset(p for row in rows for object_, given in row.data if object_ in above for p in given)

    def _unknown(self) -> Iterator[str]:
        service = {name for name, role in self.roles.items() if role.service_principal}
        named = {row.role for row in self.matrix} | {*self.run_as.values(), *self.unmasked}
        yield from (f"role {name}: is not in roles" for name in sorted(named - set(self.roles)))
        yield from (
            f"run_as {job}: {role} is no service principal"
            for job, role in self.run_as.items()
            if role not in service
        )
        if set(self.application_ids) != service:
            yield f"application_ids: must name {', '.join(sorted(service))}"
        where = {name for row in self.matrix for name in row.environments} | set(self.personal)
        yield from (
            f"environment {name}: is not in copies_from" for name in sorted(where - set(self.copies_from))
        )
        jobs = {name for row in self.matrix for name in row.jobs}
        yield from (f"job {name}: is not in run_as" for name in sorted(jobs - set(self.run_as)))

    def _overreaching(self) -> Iterator[str]:
        for row in self.matrix:
            for environment in sorted({*row.environments} & {*self.copies_from}):
                yield from (
                    f"{row.role} in {environment}: {fault}" for fault in self._faults(row, environment)
                )

    def _faults(self, row: Row, environment: str) -> Iterator[str]:
        """What the row gives in an environment that nobody, or nobody but promotion, may have there."""
        people = self.roles.get(row.role, Role(group="?")).group is not None
        shared = environment not in self.personal
        if row.role == "consumers":
            yield from _beyond_predictions(row)
        if not people and not shared:
            yield "personal: jobs run as the person who deployed them there, or as a service principal, not as both"
        if people and shared:
            yield from _writing(row)
            yield from (
                f"CAN_MANAGE on job {job}: who edits a job acts as its principal"
                for job, level in row.jobs.items()
                if level == "CAN_MANAGE"
            )
        if shared and row.role not in _HAVE_IT:
            yield from _deciding(row)
        if row.role != "promote" and (shared or not people):
            yield from _promoting(row)


def _beyond_predictions(row: Row) -> Iterator[str]:
    allowed = {
        "catalog": {"USE_CATALOG"},
        "gold": _READING,
        MODELS: {"USE_SCHEMA"},
        "ml.predictions": _READING,
    }
    for name, privileges in row.data:
        beyond = sorted({*privileges} - allowed.get(name, set()))
        if beyond:
            yield f"{', '.join(beyond)} on {name}: consumers read gold and predictions only"
    if row.jobs or row.experiment or row.secret_scope:
        yield "jobs, experiment, secret_scope: consumers read gold and predictions only"
    if row.endpoint not in (None, "CAN_QUERY"):
        yield f"{row.endpoint} on endpoint: consumers query it only"


def _writing(row: Row) -> Iterator[str]:
    for name, privileges in row.data:
        writing = sorted({*privileges} & _WRITING)
        if writing:
            yield f"{', '.join(writing)} on {name}: people write in personal environments only"


def _deciding(row: Row) -> Iterator[str]:
    """Neither who trains nor who runs the rest has the last word."""
    for job, level in row.jobs.items():
        if job in _LAST_WORD and level != "CAN_VIEW":
            yield f"{level} on job {job}: only {_HAVE_IT[0]} has the last word on who is champion"


def _promoting(row: Row) -> Iterator[str]:
    """Only promotion creates models, which its owner alone gives aliases, writes the ledger and moves the endpoint."""
    if row.endpoint == "CAN_MANAGE":
        yield "CAN_MANAGE on endpoint: only promote says which version it serves"
    for name, privileges in row.data:
        if "CREATE_MODEL" in privileges:
            yield f"CREATE_MODEL on {name}: only promote owns models, since an owner moves aliases"
        if "MODIFY" in privileges and name in ("catalog", "ops", LEDGER):
            yield f"MODIFY on {name}: only promote writes {LEDGER}"
        if "CREATE_TABLE" in privileges and _makes_ledger(row.role, name):
            yield f"CREATE_TABLE on {name}: who creates {LEDGER} owns it"


def _makes_ledger(role: str, name: str) -> bool:
    return name == "catalog" or (name == "ops" and role != _MAKES_OPS)
