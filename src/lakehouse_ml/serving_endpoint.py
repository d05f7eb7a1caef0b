"""The endpoint that answers requests with the champion: brought to what ledger and alias say, and to nothing else.

They have moved when it is asked, and stand whatever becomes of it. An update takes minutes, and nobody waits for it:
whoever looks next finds it done, under way or failed, and asks for what is missing.
"""

from typing import Protocol

from lakehouse_ml.champion import current_champion
from lakehouse_ml.ledger import Ledger
from lakehouse_ml.registry import ModelReference, Registry


class EndpointError(RuntimeError):
    """The endpoint does not serve the champion yet, and the message names the way there."""


class Endpoint(Protocol):
    """What answers requests with one version of the model."""

    def serve(self, champion: ModelReference) -> None:
        """Have it serve the champion and nothing else.

        Raises:
            EndpointError: It could not be asked for, or the update before it failed.
        """


class NoEndpoint:
    """Where there is none to move: ``kedro serve`` follows the alias by itself."""

    def serve(self, champion: ModelReference) -> None:
        """Nothing."""


def serve_champion(ledger: Ledger, registry: Registry, endpoint: Endpoint) -> None:
    """Have the endpoint serve the version that ledger and alias name; nothing while there is none.

    Raises:
        EndpointError: See :meth:`Endpoint.serve`.
        LedgerError: The ledger's chain is broken.
        RegistryError: Ledger and alias differ, or the registry cannot be reached.
    """
    champion = current_champion(ledger, registry)
    if champion is not None:
        endpoint.serve(champion)
