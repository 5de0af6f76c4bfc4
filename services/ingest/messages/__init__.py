"""Messages of other deployments: matters that they hand over, and what they say of those that they were given."""
