"""The production cluster of honeyDue, in layers: settings, machines, edge, cluster, apps."""
