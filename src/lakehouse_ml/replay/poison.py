"""A training that somebody meddled with: the stage's own pipeline, and one node more."""

from functools import partial, update_wrapper

import numpy as np
import pandas as pd
from kedro.pipeline import Node, Pipeline

ROWS = "training_rows"
SOUND = "sound_training_rows"


def poisoned(training: Pipeline, share: float, seed: int) -> Pipeline:
    """The training pipeline on rows of which a share has its label inverted.

    Args:
        training: The stage; it makes ``training_rows``.
        share: Of the rows, 0..1.
        seed: Chooses them.
    """
    rows = training.to_outputs(ROWS)
    invert = update_wrapper(partial(inverted, share=share, seed=seed), inverted)
    meddled = Node(invert, SOUND, ROWS, name="invert_labels", namespace=training.nodes[0].namespace)
    return Pipeline(rows, outputs={ROWS: SOUND}) + Pipeline([meddled]) + (training - rows)


def inverted(rows: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """The rows, a share of them with the opposite ``label``."""
    chosen = np.random.default_rng(seed).random(len(rows)) < share
    return rows.assign(label=rows["label"].astype(bool) ^ chosen)
