"""Settings of an autoscaler: its bounds, its target, and how fast it changes the number of pods."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from infra.settings.model import Model
from infra.settings.types import Count, Number, matching, seconds

MAX_STABILIZATION_SECONDS, MAX_PERIOD_SECONDS = 3600, 1800
"""The limits of Kubernetes (pkg/apis/autoscaling/validation/validation.go)."""


def _at_most(maximum: int, shown: str) -> AfterValidator:
    def check(value: str) -> str:
        if seconds(value) > maximum:
            raise ValueError(f"at most {shown} was expected")
        return value

    return AfterValidator(check)


Stabilization = Annotated[
    str, matching("[0-9]{1,9}[smh]", 'a duration such as "5m"'), _at_most(MAX_STABILIZATION_SECONDS, "1h")
]
Period = Annotated[
    str, matching("0*[1-9][0-9]{0,8}[smh]", 'a duration such as "1m"'), _at_most(MAX_PERIOD_SECONDS, "30m")
]


class ScaleUp(Model):
    """How fast an autoscaler adds pods. Kubernetes has defaults for what is left out.

    `stabilization` is the time during which the load must be high before a pod is added. `pods` and `percent` limit
    what is added in one `period`, by default a minute. Where both are set, Kubernetes uses the larger change.

    Kubernetes' defaults: no stabilization, and 4 pods or 100 percent every 15 seconds.
    """

    stabilization: Stabilization | None = None
    pods: Count | None = None
    percent: Count | None = None
    period: Period | None = None

    @field_validator("period")
    @classmethod
    def _period_of_a_limit(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("pods") is None and info.data.get("percent") is None:
            raise ValueError("limits nothing without pods or percent: set one of them, or remove the period")
        return value


class ScaleDown(ScaleUp):
    """How fast an autoscaler removes pods: `stabilization` is the time during which the load must be low.

    Kubernetes' defaults: 5 minutes of stabilization, and then all pods above the minimum at once.
    """

    percent: Annotated[Number, Field(ge=1, le=100)] | None = None


def _not_empty(value: ScaleUp | None) -> ScaleUp | None:
    if value is not None and not value.model_dump(exclude_none=True):
        raise ValueError("stabilization, pods or percent was expected")
    return value


class Autoscaling(Model):
    """The bounds of a HorizontalPodAutoscaler, its target CPU utilization in percent of the request, and its speed."""

    min: Count
    max: Count
    cpu_percent: Annotated[Number, Field(ge=1, le=100)]
    scale_up: Annotated[ScaleUp | None, AfterValidator(_not_empty)] = None
    scale_down: Annotated[ScaleDown | None, AfterValidator(_not_empty)] = None

    @field_validator("max")
    @classmethod
    def _not_below_min(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("min", value):
            raise ValueError(f"must be at least min, {info.data['min']}")
        return value
