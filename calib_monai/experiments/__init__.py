"""Experiments: compares many trainings of several methods."""
