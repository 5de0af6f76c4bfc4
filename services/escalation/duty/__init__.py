"""Who is on duty, what nobody covers, and more reports than usual."""
