"""The stack's configuration, as frozen and validated objects.

Nothing is imported here: commands of ops/ and rehearsal/ read the models without loading Pulumi's SDK (`loading` needs it).
"""
