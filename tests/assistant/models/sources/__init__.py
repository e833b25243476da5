"""Tests of model sources."""
