"""What is established of a matter, and who is asked for it."""
