"""A service as processes: HTTP, commands, pages of lists, leader and consumer."""
