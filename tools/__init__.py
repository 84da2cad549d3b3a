"""What the developers run, and no wheel has."""
