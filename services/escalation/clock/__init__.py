"""The limits of a matter: pure folds over its milestones, and the loop that looks for missed ones."""
