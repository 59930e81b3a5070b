"""honeyDue itself: configuration, redis, the migration, and the four apps, each saying only what is special about it."""
