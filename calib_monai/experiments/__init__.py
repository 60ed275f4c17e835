"""Experiments: many trainings of several methods, laid side by side."""
