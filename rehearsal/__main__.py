"""`python -m rehearsal`: rehearses a change of production on this machine."""

from rehearsal.cli.commands import cli
from rehearsal.layout import COMMAND

if __name__ == "__main__":
    cli(prog_name=COMMAND)
