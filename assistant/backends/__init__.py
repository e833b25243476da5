"""Models behind contracts; each heavy library is imported in one module here."""
