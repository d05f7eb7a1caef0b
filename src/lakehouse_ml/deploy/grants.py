"""What the matrix says, as Unity Catalog statements and as parts of the bundle."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lakehouse_ml.deploy.roles import LEDGER, Roles, RolesError, Row
from lakehouse_ml.lakehouse.contract import Contract, sql_text

_TAG = "privacy"
_MASK = "masked"


def quoted(*names: str) -> str:
    """A SQL identifier of one or several parts."""
    return ".".join(f"`{name.replace('`', '``')}`" for name in names)


def principal_name(roles: Roles, environment: str, role: str) -> str:
    """The name that Unity Catalog knows a role by in an environment.

    A service principal without a known application id gets one that no statement can be applied with.
    """
    who = roles.roles[role]
    if who.group is not None:
        return who.group
    known = roles.application_ids[role]
    return known or f"<application id of {service_principal(roles, environment, role)}>"


def service_principal(roles: Roles, environment: str, role: str) -> str:
    """Name of a role's service principal in an environment."""
    return str(roles.roles[role].service_principal).format(environment=environment)


def secret_scope(roles: Roles, environment: str) -> str:
    """Name of the environment's secret scope."""
    return roles.secret_scope.format(environment=environment)


def unknown_principals(roles: Roles) -> tuple[str, ...]:
    """Roles whose application id is not known."""
    return tuple(role for role, known in roles.application_ids.items() if known is None)


def grant_statements(roles: Roles, environment: str) -> list[str]:
    """Every GRANT of an environment, objects from the catalog down to tables."""
    rows = roles.rows(environment)
    whom = {row.role: principal_name(roles, environment, row.role) for row in rows}
    granted = [
        (kind, name, privileges, whom[row.role]) for row in rows for kind, name, privileges in _objects(row)
    ]
    order = ("CATALOG", "SCHEMA", "VOLUME", "TABLE")
    own = [_grant(environment, *grant) for grant in sorted(granted, key=lambda grant: order.index(grant[0]))]
    return [*own, *_copy_grants(roles, environment)]


def ledger_statements(roles: Roles, environment: str) -> list[str]:
    """Promotion owns its ledger, whoever made the table; none where jobs run as persons."""
    if environment in roles.personal:
        return []
    owner = quoted(principal_name(roles, environment, "promote"))
    return [f"ALTER TABLE {quoted(environment, *LEDGER.split('.'))} OWNER TO {owner};"]


def _objects(row: Row) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    if row.catalog:
        yield "CATALOG", (), row.catalog
    for kind, objects in (("SCHEMA", row.schemas), ("VOLUME", row.volumes), ("TABLE", row.tables)):
        yield from ((kind, tuple(name.split(".")), privileges) for name, privileges in objects.items())


def _grant(catalog: str, kind: str, name: tuple[str, ...], privileges: Iterable[str], principal: str) -> str:
    words = ", ".join(privilege.replace("_", " ") for privilege in privileges)
    return f"GRANT {words} ON {kind} {quoted(catalog, *name)} TO {quoted(principal)};"


def _copy_grants(roles: Roles, environment: str) -> list[str]:
    """What the promotion of other environments needs to load this one's models."""
    takers = sorted(name for name, origins in roles.copies_from.items() if environment in origins)
    found = []
    for taker in takers:
        principal = f"<application id of {service_principal(roles, taker, 'promote')}>"
        found += [
            _grant(environment, "CATALOG", (), ["USE_CATALOG"], principal),
            _grant(environment, "SCHEMA", ("ml",), ["USE_SCHEMA", "EXECUTE"], principal),
        ]
    return found


def privacy_statements(roles: Roles, environment: str, contracts: Mapping[str, Contract]) -> list[str]:
    """Tags of every column that is not public, and one mask for all restricted ones.

    Args:
        roles: The matrix.
        environment: Whose catalog.
        contracts: By table.

    Raises:
        RolesError: A restricted column has a type that the mask does not fit.
    """
    columns = [
        (contract.table, column)
        for contract in contracts.values()
        for column in contract.columns
        if column.privacy != "public"
    ]
    odd = sorted(
        f"{t}.{c.name} ({c.type})" for t, c in columns if c.privacy == "restricted" and c.type != "string"
    )
    if odd:
        raise RolesError(
            f"restricted columns must be strings, which the mask takes; these are not: {', '.join(odd)}"
        )
    tags = [
        f"ALTER TABLE {quoted(environment, *table.split('.'))} ALTER COLUMN {quoted(column.name)} "
        f"SET TAGS ({sql_text(_TAG)} = {sql_text(column.privacy)});"
        for table, column in columns
    ]
    return [*_mask(roles, environment), *tags]


def _mask(roles: Roles, environment: str) -> list[str]:
    mask = quoted(environment, "silver", _MASK)
    here = {row.role for row in roles.rows(environment)} & {*roles.unmasked}
    spared = ", ".join(quoted(principal_name(roles, environment, role)) for role in sorted(here))
    but_for = f"EXCEPT {spared} " if spared else ""
    return [
        f"CREATE OR REPLACE FUNCTION {mask}(value STRING) RETURNS STRING RETURN CAST(NULL AS STRING);",
        f"CREATE OR REPLACE POLICY {quoted('restricted_columns')} ON CATALOG {quoted(environment)} "
        f"COLUMN MASK {mask} TO {quoted('account users')} {but_for}FOR TABLES "
        f"MATCH COLUMNS has_tag_value({sql_text(_TAG)}, {sql_text('restricted')}) AS restricted "
        f"ON COLUMN restricted;",
    ]


def schema_grants(roles: Roles, environment: str, schema: str) -> list[dict[str, Any]]:
    """``grants`` of a schema in the bundle."""
    return _bundle_grants(
        roles, environment, ((row, row.schemas.get(schema)) for row in roles.rows(environment))
    )


def volume_grants(roles: Roles, environment: str, volume: str) -> list[dict[str, Any]]:
    """``grants`` of ``<schema>.<volume>`` in the bundle."""
    return _bundle_grants(
        roles, environment, ((row, row.volumes.get(volume)) for row in roles.rows(environment))
    )


def job_permissions(roles: Roles, environment: str, job: str) -> list[dict[str, str]]:
    """``permissions`` of a job in the bundle."""
    run_as(roles, environment, job)
    return _permissions(roles, ((row, row.jobs.get(job)) for row in roles.rows(environment)))


def experiment_permissions(roles: Roles, environment: str) -> list[dict[str, str]]:
    """``permissions`` of the experiment in the bundle."""
    return _permissions(roles, ((row, row.experiment) for row in roles.rows(environment)))


def secret_scope_permissions(roles: Roles, environment: str) -> list[dict[str, str]]:
    """``permissions`` of the secret scope in the bundle."""
    return _permissions(roles, ((row, row.secret_scope) for row in roles.rows(environment)))


def endpoint_permissions(roles: Roles, environment: str) -> list[dict[str, str]]:
    """Permissions of the serving endpoint; in no bundle, since promotion makes it."""
    return _permissions(roles, ((row, row.endpoint) for row in roles.rows(environment)))


def run_as(roles: Roles, environment: str, job: str) -> dict[str, str] | None:
    """``run_as`` of a job in the bundle; None where it runs as the person who deployed it.

    Raises:
        RolesError: The matrix does not say whom the job runs as.
    """
    if job not in roles.run_as:
        raise RolesError(f"run_as of roles.yml lacks the job {job}; it has {', '.join(sorted(roles.run_as))}")
    if environment in roles.personal:
        return None
    return {"service_principal_name": principal_variable(roles.run_as[job])}


def principal_variable(role: str) -> str:
    """The bundle's variable that holds the application id of a role's service principal."""
    return f"${{var.{role}_principal}}"


def bundle_access(roles: Roles, environment: str) -> dict[str, Any]:
    """All grants, permissions and identities of an environment, by the bundle's types; the endpoint's beside them."""
    schemas = sorted({name for row in roles.matrix for name in row.schemas})
    volumes = sorted({name for row in roles.matrix for name in row.volumes})
    return {
        "schemas": {name: {"grants": schema_grants(roles, environment, name)} for name in schemas},
        "volumes": {name: {"grants": volume_grants(roles, environment, name)} for name in volumes},
        "jobs": {
            job: {
                "run_as": run_as(roles, environment, job),
                "permissions": job_permissions(roles, environment, job),
            }
            for job in sorted(roles.run_as)
        },
        "experiment": {"permissions": experiment_permissions(roles, environment)},
        "secret_scope": {
            "name": secret_scope(roles, environment),
            "permissions": secret_scope_permissions(roles, environment),
        },
        "serving_endpoint": {"permissions": endpoint_permissions(roles, environment)},
    }


def _bundle_grants(
    roles: Roles, environment: str, given: Iterable[tuple[Row, tuple[str, ...] | None]]
) -> list[dict[str, Any]]:
    return [
        {"principal": _bundle_principal(roles, row.role), "privileges": list(privileges)}
        for row, privileges in given
        if privileges
    ]


def _bundle_principal(roles: Roles, role: str) -> str:
    return roles.roles[role].group or principal_variable(role)


def _permissions(roles: Roles, given: Iterable[tuple[Row, str | None]]) -> list[dict[str, str]]:
    return [
        {"level": level, "group_name": group}
        if (group := roles.roles[row.role].group)
        else {"level": level, "service_principal_name": principal_variable(row.role)}
        for row, level in given
        if level
    ]
