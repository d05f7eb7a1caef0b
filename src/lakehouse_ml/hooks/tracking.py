"""A session logs to no other session's MLflow run."""

from kedro.framework.hooks import hook_impl
from kedro_mlflow.framework.hooks import mlflow_hook


class TrackingHooks:
    """Lets kedro-mlflow forget the run of the session before, which it would reopen for every later node."""

    @hook_impl
    def after_context_created(self) -> None:
        """Begin without a run; a pipeline that is tracked opens its own."""
        mlflow_hook.run_id = None
