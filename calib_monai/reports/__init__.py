"""Reports: tables and figures of what evaluations left on disk."""
