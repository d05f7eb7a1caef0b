"""How a step that is begun again begins."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lakehouse_ml.ledger import hash_of
from lakehouse_ml.replay.policy_part import _open
from lakehouse_ml.replay.steps import Step
from ledger_builders import AS_OF, RowsInMemory, entry
from registry_builders import Stores, make_stores, saved_model


@dataclass
class Catalog:
    """A policy's stores without the tables that nothing here looks at."""

    stored: dict[str, Any]

    def load(self, name: str) -> Any:
        return self.stored[name]

    def save(self, name: str, data: Any) -> None:
        self.stored[name] = data


@dataclass
class OnePolicy:
    """A world of one policy."""

    catalog: Catalog

    @contextmanager
    def opened(self, policy: str) -> Iterator[tuple[None, SimpleNamespace]]:
        yield None, SimpleNamespace(catalog=self.catalog)


@pytest.fixture
def stores(mlflow_template: Path, tmp_path: Path) -> Stores:
    return make_stores(mlflow_template, tmp_path)


def test_a_move_that_a_killed_step_left_half_way_is_finished_before_the_policy_goes_on(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse_ml.replay.policy_part.read_decisions", lambda _: ())
    model, ledger = saved_model(stores), RowsInMemory()
    version = stores.registry.register(model, {"evidence_hash": hash_of("{}")}, "card").version
    decided = entry(model_version=version, model_digest=model.digest, champion_after=version)
    ledger.append(decided, None)
    assert ledger.state().pending is not None
    catalog = Catalog(
        {"promotion_ledger": ledger, "model_registry": stores.registry, "before_ops_retrain_decisions": None}
    )
    position = _open(OnePolicy(catalog), "monthly", Step("run-1", AS_OF, {}, 0.0))  # type: ignore[arg-type]
    assert position.trained == 1
    assert (ledger.state().pending, ledger.state().champion) == (None, version)
    assert stores.registry.aliased().version == version
