"""Translation engines: functions from texts to texts, one per file."""
