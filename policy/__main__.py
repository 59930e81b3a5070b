"""The CrossGuard pack: the rules of ops/guardrails/rules.py, started by the engine beside the program."""

import sys
from pathlib import Path

# The engine starts this folder, and the rules stand beside it.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pulumi_policy import EnforcementLevel, PolicyPack

from policy.goal import policies

PolicyPack(name="honeydue", policies=policies(), enforcement_level=EnforcementLevel.MANDATORY)
