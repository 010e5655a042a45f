"""Questions to code locations: functions that their processes call, with the definitions."""
