"""Tests of the package `ingest`."""
