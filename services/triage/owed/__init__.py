"""What is owed to those who ask, until after the end of a matter."""
