"""The promises as a CrossGuard pack, for teams that run the official Pulumi CLI."""
