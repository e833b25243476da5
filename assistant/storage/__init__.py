"""The library on disk: SQLite is the source of truth, Chroma an index built from it."""
