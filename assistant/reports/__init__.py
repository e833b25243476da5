"""Generated work about documents: one module for each kind of report."""
