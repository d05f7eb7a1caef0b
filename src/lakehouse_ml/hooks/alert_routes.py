"""A run whose alerts could not be told does not start."""

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from lakehouse_ml.datasets import AlertRoutes


class AlertRouteHooks:
    """Asks for the routes before the run, since a missing address is better known before than after it."""

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Make sure that every route of the environment has what it needs.

        Raises:
            RouteError: Naming the route that does not exist.
            SecretError: Naming the secret that is missing.
        """
        for dataset in map(catalog.get, pipeline.outputs()):
            if isinstance(dataset, AlertRoutes):
                dataset.routes()
