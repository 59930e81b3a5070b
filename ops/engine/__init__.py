"""The Pulumi engine, called through the `pulumi` command on PATH: previews, updates, imports, state and settings.

Pulumi's Automation API (pulumi.automation, 3.259) is not used, because it would not replace these calls:

- It has no `--ignore-protect`, no `--show-sames` and no `state unprotect`. A plan would stop at the first protected resource.
- Its plan events contain no dependencies, which the guard rail about migrations needs. The JSON plan contains them.
- It runs `up` and `import` on pipes, without the progress display and the confirmation of a terminal.
- `Stack` runs `pulumi stack select`, which changes the stack that the operator selected.
- It takes 0.2 s of CPU time to import and one `pulumi version` process. Reading config, state and outputs are the only calls
  that it would replace, one line each.
"""
