"""Installs the programs that rehearsals, tests and operators run, each at the version that a file under tools/ pins."""
