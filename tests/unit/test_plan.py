"""Plans: the output of the engine as ops/plan.py parses it."""

import pytest

from ops.plan import Plan, PlanError

HIDDEN = "s3cr3t-of-a-test"


@pytest.mark.parametrize(
    "output", ["", "no JSON", '{"steps": [{"op": "same"}]}', f'{{"config": {{"x": ["{HIDDEN}"]}}}}']
)
def test_invalid_output_of_the_engine_is_an_error_that_does_not_contain_it(output: str) -> None:
    with pytest.raises(PlanError) as error:
        Plan.read(output)
    assert HIDDEN not in str(error.value)
