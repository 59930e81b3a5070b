"""Plans: the output of the engine as ops/plan.py parses it."""

import pytest

from ops.plan import Plan, PlanError
from tests.unit.plans import plan

HIDDEN = "s3cr3t-of-a-test"


@pytest.mark.parametrize(
    "output", ["", "no JSON", '{"steps": [{"op": "same"}]}', f'{{"config": {{"x": ["{HIDDEN}"]}}}}']
)
def test_invalid_output_of_the_engine_is_an_error_that_does_not_contain_it(output: str) -> None:
    with pytest.raises(PlanError) as error:
        Plan.read(output)
    assert HIDDEN not in str(error.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [('{"api": "1"}', {"api": "1"}), ('["api"]', ["api"]), ("", None), ("{", None), (None, None)],
    ids=repr,
)
def test_a_setting_that_is_missing_or_no_json_is_an_error_of_the_program(text: str | None, value: object) -> None:
    settings = {} if text is None else {"images": text}
    assert plan(**settings).setting("honeydue:images") == value
