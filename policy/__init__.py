"""The guard rails as a CrossGuard policy pack, for teams that use the official Pulumi CLI."""
