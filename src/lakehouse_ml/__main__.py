"""Entry of the installed package: ``lakehouse-ml`` takes the options of ``kedro run``."""

import sys
from pathlib import Path
from typing import Any

from kedro.framework.cli.project import run
from kedro.framework.project import configure_project

from lakehouse_ml.quiet import quiet


def main(*args: Any, **kwargs: Any) -> Any:
    """Run the pipelines that the arguments name; returns what the run returns.

    Raises:
        SystemExit: On the command line, with Kedro's exit code.
    """
    quiet()
    configure_project(Path(__file__).parent.name)
    kwargs.setdefault("standalone_mode", not hasattr(sys, "ps1"))
    return run(*args, **kwargs)


if __name__ == "__main__":
    main()
