"""Tests of `assistant.backends`: the real libraries, on small data."""
