"""The project's own commands beside Kedro's."""

from importlib import import_module

import click

__all__ = ["cli"]

# Where each is, below this package.
_COMMANDS = {
    "approve": "champions.approve",
    "bundle": "bundle.bundle",
    "explain": "trace.explain_flight",
    "grants": "grants.grants",
    "land": "landing.land",
    "ledger": "champions.ledger",
    "lineage": "trace.lineage",
    "package": "packaging.package",
    "promote": "champions.promote",
    "rebuild": "trace.rebuild",
    "refresh": "layers.refresh",
    "release": "releases.release",
    "replay": "replaying.replay",
    "retrain": "retraining.retrain",
    "rollback": "champions.rollback",
    "run": "running.run",
    "serve": "serving.serve",
    "skew": "skew.skew",
}


class CommandsOnDemand(click.Group):
    """Imports a command when it is asked for: all of them together bring in every library, which takes seconds."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in order."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; None: there is none here."""
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name].split(".")
        command: click.Command = getattr(import_module(f"{__name__}.{module}"), attribute)
        return command


@click.group(name="lakehouse_ml", cls=CommandsOnDemand)
def cli() -> None:
    """Commands of this project."""
