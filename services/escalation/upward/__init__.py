"""Reports upward, notices sideways, and a superior's notices."""
