"""Who signs in: accounts, sessions, the provider, and the pages of them."""
