"""What the cluster uses and does not run: it stands outside of it here too."""
