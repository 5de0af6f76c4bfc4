"""What waits for a post: inbox, board, register, supervision and search, and how they follow the record."""
