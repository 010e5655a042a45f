"""What happens without anybody asking for it: runs that are queued, schedules, sensors, conditions and backfills."""
