"""The `preview` and `up` commands, and the rules that a plan must satisfy before it is applied."""
