import pytest
from kedro.config import OmegaConfigLoader

from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.pipelines import inference, promotion
from lakehouse_ml.pipelines.inference.due import DueParams
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules
from lakehouse_ml.settings import CONFIG_LOADER_ARGS
from project_builders import CONF, Project
from promotion_builders import RULES

pytestmark = pytest.mark.slow


@pytest.fixture
def catalog(tmp_path):
    project = Project(tmp_path)
    stages = promotion.create_pipeline(USE_CASE) + inference.create_pipeline(USE_CASE)
    return project.catalog(stages)


def test_conf_holds_the_rules_of_the_design(catalog):
    assert catalog.load("params:promotion.rules") == PromotionRules.model_validate(RULES)
    assert catalog.load("params:inference.due") == DueParams(lookback_days=28)


@pytest.mark.parametrize(
    "wrong", [{"evidence": {"days_min": 0}}, {"dry_run": True}, {"margin": {"above": "x"}}]
)
def test_a_wrong_rule_stops_before_the_first_node(tmp_path, wrong):
    with pytest.raises(Exception, match=r"promotion\.rules"):
        Project(tmp_path).catalog(promotion.create_pipeline(USE_CASE), {"promotion": {"rules": wrong}})


def test_the_registry_knows_the_model_by_the_use_cases_name(catalog):
    assert catalog.load("model_registry").name == f"test.ml.{USE_CASE.model_name}"


def test_inference_depends_on_promotion_through_the_champion_alone():
    made = promotion.create_pipeline(USE_CASE).outputs()
    assert made & inference.create_pipeline(USE_CASE).inputs() == {"ml_champion"}


def test_every_dataset_of_the_stages_is_in_the_catalog(catalog):
    stages = promotion.create_pipeline(USE_CASE) + inference.create_pipeline(USE_CASE)
    between = {
        "ledger_before",
        "tried_candidates",
        "declared_rows",
        "table_records",
        "promotion_evidence",
        "promotion_decision",
        "promotion_model_card",
        "ledger_entry",
        "due",
        "due_features",
    }
    assert {name for name in stages.datasets() if name not in catalog} == between


def test_in_prod_a_person_has_the_last_word():
    loader = OmegaConfigLoader(str(CONF), env="prod", **CONFIG_LOADER_ARGS)
    rules = loader["parameters"]["promotion"]["rules"]
    assert rules == {**RULES, "approval": {"required": True, "shadow_rows_min": 1000}}
