"""Tests of `assistant`: logic, with fakes that keep the contracts."""
