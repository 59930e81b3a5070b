"""How fast an autoscaler changes the number of pods."""

from pulumi_kubernetes.autoscaling.v2 import (
    HorizontalPodAutoscalerBehaviorArgs,
    HPAScalingPolicyArgs,
    HPAScalingRulesArgs,
)

from infra.settings.scaling import Autoscaling, ScaleUp
from infra.settings.types import seconds

DEFAULT_PERIOD = "1m"


def autoscaler_behavior(scale: Autoscaling) -> HorizontalPodAutoscalerBehaviorArgs | None:
    """The behavior, or None without settings.

    Kubernetes' defaults are not declared, so that nothing changes for an autoscaler that was created by hand.
    """
    if scale.scale_up is None and scale.scale_down is None:
        return None
    return HorizontalPodAutoscalerBehaviorArgs(
        scale_up=scaling_rules(scale.scale_up), scale_down=scaling_rules(scale.scale_down)
    )


def scaling_rules(rules: ScaleUp | None) -> HPAScalingRulesArgs | None:
    """The rules of one direction, or None for Kubernetes' default."""
    if rules is None:
        return None
    period = seconds(rules.period or DEFAULT_PERIOD)
    policies = [
        HPAScalingPolicyArgs(type=type_, value=value, period_seconds=period)
        for type_, value in (("Pods", rules.pods), ("Percent", rules.percent))
        if value is not None
    ]
    return HPAScalingRulesArgs(
        stabilization_window_seconds=None if rules.stabilization is None else seconds(rules.stabilization),
        policies=policies or None,
    )
