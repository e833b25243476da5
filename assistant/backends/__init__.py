"""The doors to the heavy libraries: each library is imported in one module here."""
