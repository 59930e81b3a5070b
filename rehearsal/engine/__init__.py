"""The Pulumi engine of a world, and the stack that it runs."""
