"""What other packages say at every start of every command, and nobody can act on."""

import logging
import os

NOISE = (
    # kedro-mlflow's own model class lacks the type hints that MLflow asks for.
    "type hints to the `predict` method",
    # Kedro registers its resolvers by a name that OmegaConf is giving up.
    "register_new_resolver() is deprecated",
    # Kedro-Viz draws the state of a run of everything only.
    "Workflow tracking is disabled",
)
# Loggers that it comes through.
NOISY = ("py.warnings", "kedro_viz.integrations.kedro.run_hooks")


def quiet() -> None:
    """Leave the noise out; Kedro calls this before it loads any plugin (entry point ``kedro.init``)."""
    # MLflow sets warning filters of its own while it warns, so the noise is kept from the log instead.
    logging.captureWarnings(True)
    for name in NOISY:
        logging.getLogger(name).addFilter(is_news)
    # Making the tables of a new tracking store is no news; nor are bars that run through ours.
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")


def is_news(record: logging.LogRecord) -> bool:
    """Whether the record holds none of the noise."""
    return not any(noise in record.getMessage() for noise in NOISE)
