"""The CrossGuard policy pack with rules of ops/guardrails/rules.py. The engine runs this file in its own process."""

import sys
from pathlib import Path

# The engine puts only this folder on the Python path. The rules are in the folder above.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pulumi_policy import EnforcementLevel, PolicyPack

from policy.goal_state import policies

PolicyPack(name="honeydue", policies=policies(), enforcement_level=EnforcementLevel.MANDATORY)
