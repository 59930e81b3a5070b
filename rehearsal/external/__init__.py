"""Services that the cluster uses but does not run: database, object store, metrics
database, trace collector and mail server."""
