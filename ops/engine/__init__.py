"""The Pulumi engine, called through the `pulumi` command on PATH: previews, updates, imports, state and settings.

Pulumi's Automation API (pulumi.automation, 3.259) is not used, because it would not replace these calls:

- It has no `--ignore-protect`, no `--show-sames` and no `state unprotect`. Without the first, a plan stops at protected
  resources.
- Its plan events contain no dependencies, which the guard rail about migrations needs. The JSON plan contains them.
- It runs `up` and `import` on pipes, without the progress display of a terminal.
- `Stack` runs `pulumi stack select`, which changes the stack that the operator selected.
- It takes 0.2 s of CPU time to import, and starts `pulumi version` first. It could only read settings, state and
  outputs, which is one line each here.
"""
