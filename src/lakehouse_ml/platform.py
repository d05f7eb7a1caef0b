"""Which platform the process runs on: the one value that tells a laptop from Databricks."""

import os
from typing import Literal, get_args

Platform = Literal["local", "databricks"]

PLATFORM_VARIABLE = "LAKEHOUSE_ML_PLATFORM"
# Databricks sets it on each of its machines.
_RUNTIME_VARIABLE = "DATABRICKS_RUNTIME_VERSION"


def platform() -> str:
    """``local`` or ``databricks``, as the environment variable ``LAKEHOUSE_ML_PLATFORM`` says; by default ``local``.

    Raises:
        ValueError: It names no platform, or nothing is said on a machine of Databricks, whose disk is gone tomorrow.
    """
    given, known = os.environ.get(PLATFORM_VARIABLE), get_args(Platform)
    if given is None and _RUNTIME_VARIABLE in os.environ:
        raise ValueError(
            f"{PLATFORM_VARIABLE} is not set, and this is a machine of Databricks: set it to databricks, or to local "
            f"to keep tables on the machine's own disk"
        )
    if given is not None and given not in known:
        raise ValueError(f"{PLATFORM_VARIABLE} must be {' or '.join(known)}, is {given!r}")
    return given or "local"
