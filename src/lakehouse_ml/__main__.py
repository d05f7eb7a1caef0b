"""Entry of the installed package, which a job's tasks run.

``lakehouse-ml`` takes the options of ``kedro run``; ``lakehouse-ml approve`` and ``lakehouse-ml rollback`` those of the
project's commands, since on the platform only a job's principal may do what they do. So a run takes ``--mend``, too.
"""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import click

# Before Kedro is imported, so that no plugin sends anything anywhere.
os.environ["DO_NOT_TRACK"] = "1"

from kedro.framework.project import configure_project

from lakehouse_ml.cli import cli
from lakehouse_ml.cli.layers import mend
from lakehouse_ml.cli.running import run
from lakehouse_ml.conf_source import check_conf_source
from lakehouse_ml.platform import PLATFORM_VARIABLE
from lakehouse_ml.quiet import quiet

NAME = "lakehouse-ml"
COMMANDS = ("approve", "rollback")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the pipelines that the arguments name, or the command that they begin with.

    Returns nothing and never exits by itself: a job's host takes a ``SystemExit`` for a failure, also that of success,
    and a console script would print a value and fail on it. What goes wrong is raised as it is.

    Args:
        arguments: Options of ``kedro run``, or one of the commands with its own, and ``--platform``, since a job
            cannot set an environment variable; ``--mend``, if it says anything, names what is done before the run, see
            :func:`lakehouse_ml.cli.layers.mend`. None: those of the command line.

    Raises:
        ConfSourceError: The configuration's path is relative, or it lacks the environment.
        click.ClickException: An option that does not exist, a value of another form, or a command's refusal.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    own, others = _parser("--platform").parse_known_args(given)
    if own.platform is not None:
        os.environ[PLATFORM_VARIABLE] = own.platform
    # As given: Kedro makes a relative path absolute before it shows it.
    options, _ = _parser("--conf-source", "--env").parse_known_args(given)
    env = options.env or os.environ.get("KEDRO_ENV")
    if "--help" not in given:
        check_conf_source(options.conf_source, env)
    quiet()
    configure_project(Path(__file__).parent.name)
    name, command, rest = _command(others)
    if command is run:
        asked, rest = _parser("--mend").parse_known_args(rest)
        # Empty where a job's parameter was not given.
        if (asked.mend or "").strip() and "--help" not in given:
            mend(asked.mend.strip(), str(env), options.conf_source)
    # Kedro asks whether the interpreter is interactive, and exits if not: a job's host is now one, now the other.
    command.main(args=rest, prog_name=name, standalone_mode=False)


def _command(given: list[str]) -> tuple[str, click.Command, list[str]]:
    """What is run, by name, and its own arguments."""
    if not given or given[0] not in COMMANDS:
        return NAME, run, given
    command = cli.get_command(click.Context(cli), given[0])
    assert command is not None, given[0]
    return f"{NAME} {given[0]}", command, given[1:]


def _parser(*options: str) -> ArgumentParser:
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    for option in options:
        parser.add_argument(option, *(["-e"] if option == "--env" else []))
    return parser


if __name__ == "__main__":
    main()
