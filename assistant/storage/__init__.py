"""The library on disk: SQLite holds the truth, Chroma an index over it."""
