"""Entry of the installed package: ``lakehouse-ml`` takes the options of ``kedro run``; a job's tasks run it."""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

# Before Kedro is imported, so that no plugin sends anything anywhere.
os.environ["DO_NOT_TRACK"] = "1"

from kedro.framework.cli.project import run
from kedro.framework.project import configure_project

from lakehouse_ml.conf_source import check_conf_source
from lakehouse_ml.quiet import quiet

NAME = "lakehouse-ml"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the pipelines that the arguments name.

    Returns nothing and never exits by itself: a job's host takes a ``SystemExit`` for a failure, also that of success,
    and a console script would print a value and fail on it. What goes wrong is raised as it is.

    Args:
        arguments: Options of ``kedro run``; None: those of the command line.

    Raises:
        ConfSourceError: The configuration's path is relative, or it lacks the environment.
        click.ClickException: An option that does not exist, or a value of another form.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if "--help" not in given:
        options = _options(given)
        check_conf_source(options.conf_source, options.env)
    quiet()
    configure_project(Path(__file__).parent.name)
    # Kedro asks whether the interpreter is interactive, and exits if not: a job's host is now one, now the other.
    run.main(args=given, prog_name=NAME, standalone_mode=False)


def _options(arguments: Sequence[str]) -> Namespace:
    """Configuration and environment as given: Kedro makes a relative path absolute before it shows it."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--conf-source")
    parser.add_argument("--env", "-e", default=os.environ.get("KEDRO_ENV"))
    return parser.parse_known_args(list(arguments))[0]


if __name__ == "__main__":
    main()
