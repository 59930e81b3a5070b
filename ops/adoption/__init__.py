"""The `adopt` command: imports existing resources into the stack without changing them."""
