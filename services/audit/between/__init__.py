"""What goes out to other deployments: decisions of matters that are handed over, with the proof of this log."""
