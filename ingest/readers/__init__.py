"""File formats: one module for each family, and the table of them in `registry`."""
