"""Serious neglect of a post's duty is passed on to the competent body by procedure, and good work is praised."""
