"""Scoring: measures and calibrates probabilities that any program has written, beside their labels."""
