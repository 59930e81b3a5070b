"""What old images, dumps and snapshots occupy, and what that costs."""
