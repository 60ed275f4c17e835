"""Data sets as they lie on disk: a folder becomes a list of cases with their split."""
