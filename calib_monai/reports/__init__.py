"""Reports: tables and figures of the results that evaluations wrote."""
