"""``kedro approve``, ``kedro rollback`` and ``kedro ledger``: people's part in who is champion."""

import getpass
from functools import partial
from textwrap import shorten

import click
from kedro.framework.cli.utils import env_option, validate_conf_source
from kedro.framework.context import KedroContext
from kedro.framework.startup import ProjectMetadata
from rich.box import SIMPLE
from rich.table import Table

from lakehouse_ml.champion import Champions, ledger_faults
from lakehouse_ml.cli.opened import conf_of, locked, opened, opened_to_write, told
from lakehouse_ml.deploy.roles import Roles
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.hooks.progress import console
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.last_word import Ask, approve_version, roll_back
from lakehouse_ml.ledger import Entry, LedgerError
from lakehouse_ml.pipelines.promotion.approval import refuse_outdated
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules
from lakehouse_ml.pipelines.promotion.shadow import judge_shadow, shadow_rows
from lakehouse_ml.registry import Registry
from lakehouse_ml.serving_endpoint import serve_champion
from lakehouse_ml.trace.lineage import decision_on, trained_for
from lakehouse_ml.version_copy import Target, copy_files, hand_over, refuse_unpromoted

REASON_WIDTH = 40
ENVIRONMENT = env_option(envvar="KEDRO_ENV", help="Environment whose champion it is. Default: the project's.")
CONF_SOURCE = click.option(
    "--conf-source",
    callback=validate_conf_source,
    metavar="PATH",
    help="Folder or archive of the configuration. Default: the project's.",
)


def champions_of(context: KedroContext) -> Champions:
    """Ledger, registry and golden rows of the environment, which has none of these rows before an evaluation."""
    catalog = context.catalog
    golden_rows = catalog.load("golden_rows") if catalog.exists("golden_rows") else {}
    return Champions(catalog.load("promotion_ledger"), catalog.load("model_registry"), golden_rows)


def _said(context: click.Context, option: click.Parameter, text: str) -> str:
    """A job's parameter that nobody gave is empty, and would go on record so."""
    if not text.strip():
        raise click.UsageError(f"{option.opts[0]}: must say something, is {text!r}", context)
    return text


@click.command()
@click.option("--version", required=True, callback=_said, help="Version that awaits its approval.")
@click.option("--by", required=True, callback=_said, metavar="NAME", help="Who approves.")
@click.option("--note", required=True, callback=_said, metavar="TEXT", help="Why; it goes on record.")
@ENVIRONMENT
@CONF_SOURCE
def approve(env: str | None, conf_source: str | None, version: str, by: str, note: str) -> None:
    """Approve of the evidence for a version, and make it champion."""
    with opened_to_write(env, conf_source) as context:
        run = context.catalog.load("run")
        judge = partial(_judge, context, run, version)
        entry = approve_version(version, Ask(by, note, run), champions_of(context), judge)
        console().print(
            f"Version {version} is champion: row {entry.sequence} of the ledger, evidence {entry.evidence_hash}"
        )
        _serve(context)


def _judge(context: KedroContext, run: Run, version: str, decided: Entry) -> str:
    rules = PromotionRules.model_validate(context.params["promotion"]["rules"])
    refuse_outdated(decided, rules, run.as_of)
    return _in_shadow(context, run, rules, version, decided.champion_before)


def _in_shadow(
    context: KedroContext, run: Run, rules: PromotionRules, version: str, champion: str | None
) -> str:
    if champion is None or not rules.approval.shadow_rows_min:
        return "shadow results were not asked for"
    predictions, labels = (context.catalog.load(name) for name in ("ml_predictions", "gold_labels"))
    label = USE_CASE.labels.column
    rows = shadow_rows(predictions, labels, version, champion, label=label, known_until=run.as_of)
    draws, seed = context.params["evaluation"]["measure"]["draws"], context.params["random_seed"]
    verdict = judge_shadow(rows, rules, draws, seed)
    if not verdict.passed:
        raise LedgerError(
            f"Version {version} is not approved: {verdict}. `kedro run --pipelines daily` scores it beside the champion"
        )
    return str(verdict)


@click.command()
@click.option("--reason", required=True, callback=_said, metavar="TEXT", help="Why; it goes on record.")
@click.option(
    "--to",
    "version",
    metavar="VERSION",
    help="Former champion. Default, also if empty: the one before the present one.",
)
@click.option(
    "--by",
    default=getpass.getuser,
    callback=_said,
    metavar="NAME",
    help="Who acts. Default: the user's name.",
)
@ENVIRONMENT
@CONF_SOURCE
def rollback(env: str | None, conf_source: str | None, reason: str, version: str | None, by: str) -> None:
    """Try a former champion out, and put the alias back on it."""
    with opened_to_write(env, conf_source) as context:
        run = context.catalog.load("run")
        entry = roll_back(version, Ask(by, reason, run), champions_of(context))
        console().print(
            f"Version {entry.champion_after} is champion again, {entry.champion_before} was taken back: row "
            f"{entry.sequence} of the ledger"
        )
        _serve(context)


def _serve(context: KedroContext) -> None:
    """The move is on record and told: what the endpoint makes of it is told after it."""
    champions = champions_of(context)
    serve_champion(champions.ledger, champions.registry, context.catalog.load("serving_endpoint"))


@click.command()
@click.option("--from", "source", required=True, metavar="ENV", help="Environment that has the version.")
@click.option("--to", "target", required=True, metavar="ENV", help="Environment that is to have it.")
@click.option(
    "--version",
    metavar="VERSION",
    help="Version that was promoted in the source, and not taken back. Default: its champion.",
)
@click.pass_obj
def promote(metadata: ProjectMetadata, source: str, target: str, version: str | None) -> None:
    """Copy a promoted version to another environment, and let that environment's gate judge it on its own data.

    The models that were trained beside it are judged with it, and none of them is promoted in its place.
    """
    if source == target:
        raise click.ClickException(f"--from and --to are both {source}: retrain there instead")
    with told():
        confs = {env: conf_of(metadata.project_path, env) for env in (source, target)}
        Roles.model_validate(confs[target]["roles"]).refuse_copy(source, target)
    with opened(metadata.project_path, source) as (_, context):
        champions = champions_of(context)
        state = champions.ledger.state()
        wanted = version or state.champion
        if wanted is None:
            raise click.ClickException(f"{source} has no champion to copy")
        decision, origin = decision_on(wanted, state), champions.registry
        refuse_unpromoted(wanted, state)
    # Under the lock from the first file on: a run at work there reads the hand-over of its own training.
    with opened(metadata.project_path, target) as (session, context), locked(context):
        _hand_over(context, decision, origin)
        session.run(pipeline_names=["evaluation", "promotion"])
        newest = champions_of(context).ledger.state().entries
    console().print(ledger_table(list(newest[-2:])))


def _hand_over(context: KedroContext, decision: Entry, origin: Registry) -> None:
    catalog = context.catalog
    versions = {
        table: at for table, at in catalog.load("table_versions").items() if table.startswith("gold.")
    }
    target = Target(catalog.load("model_registry"), catalog.load("run"), versions)
    named = f"{origin.name} version {decision.model_version}"
    handed_over = hand_over(trained_for(decision), named, str(decision.model_digest), target)
    experiment = context.config_loader["globals"]["catalog"]
    catalog.save("ml_candidates", copy_files(handed_over, origin, target.registry, experiment))


@click.group()
def ledger() -> None:
    """The promotion ledger: who became champion, when, by whom and why."""


@ledger.command()
@ENVIRONMENT
@click.pass_obj
def show(metadata: ProjectMetadata, env: str | None) -> None:
    """Print the ledger."""
    with opened(metadata.project_path, env) as (_, context):
        entries = sorted(context.catalog.load("promotion_ledger").entries(), key=lambda entry: entry.sequence)
    console().print(ledger_table(entries))


@ledger.command()
@ENVIRONMENT
@click.pass_obj
def verify(metadata: ProjectMetadata, env: str | None) -> None:
    """Check every row's hash, the chain of rows, and that alias and files are as the ledger says."""
    with opened(metadata.project_path, env) as (_, context):
        champions = champions_of(context)
        faults = ledger_faults(champions)
        rows = len(champions.ledger.entries())
    if faults:
        raise click.ClickException("\n".join(faults))
    console().print(f"{rows} rows: hashes, chain, alias and files agree")


def ledger_table(entries: list[Entry]) -> Table:
    """The ledger for people, oldest row first."""
    table = Table(title="ops.promotion_ledger", title_justify="left", box=SIMPLE, pad_edge=False)
    for header in ("no.", "as of", "event", "decision", "by", "champion", "hash"):
        table.add_column(header, no_wrap=True)
    table.add_column("reason")
    for entry in entries:
        before, after = entry.champion_before or "none", entry.champion_after or "none"
        table.add_row(
            str(entry.sequence),
            f"{entry.as_of:%Y-%m-%d %H:%M}",
            entry.event,
            entry.decision.replace("_", " "),
            entry.actor,
            after if before == after else f"{before} → {after}",
            entry.row_hash[:8],
            shorten(entry.reasons[0], REASON_WIDTH, placeholder="…") if entry.reasons else "",
        )
    return table
