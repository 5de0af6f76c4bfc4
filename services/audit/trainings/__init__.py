"""Trainings: courses, lectures and drills by post."""
