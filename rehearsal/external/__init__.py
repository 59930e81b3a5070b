"""Services that the cluster uses but does not run: the database and the object store."""
