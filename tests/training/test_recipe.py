from __future__ import annotations

from typing import Any

import pytest

from lungflag.errors import TrainingError
from lungflag.training.recipe import Recipe


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"epochs": 2, "freeze_epochs": 3}, "freeze-epochs"),
        ({"image_size": 225}, "225 is not a multiple of 32"),
        ({"batch_size": 1}, "batch-size"),
        ({"crop_scale": 0.0}, "crop-scale"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        Recipe(**wrong)
