"""What waits on a desk, and figures of it."""
