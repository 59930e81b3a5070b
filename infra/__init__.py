"""The production cluster of honeyDue, layer by layer: settings, machines, edge, cluster, apps."""
