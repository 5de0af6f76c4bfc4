"""The offices of a deployment: first set-up, units and posts, the tour."""
