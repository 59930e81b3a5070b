"""The stack's configuration as frozen, validated models.

This module imports nothing: ops/ and rehearsal/ use the models without loading Pulumi's SDK, which `loading` needs.
"""
