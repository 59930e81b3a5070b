"""`python -m rehearsal`: rehearses a change of production on this machine."""

from rehearsal.cli.commands import cli
from rehearsal.cli.vmui import vmui
from rehearsal.layout import COMMAND

cli.add_command(vmui)

if __name__ == "__main__":
    cli(prog_name=COMMAND)
