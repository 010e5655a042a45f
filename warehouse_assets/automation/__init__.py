"""What runs by itself: the queue of runs, schedules, sensors, conditions and backfills, and the daemon that looks after them."""
