"""The way of a text through its chain: its submission, and the answers of posts and bodies."""
