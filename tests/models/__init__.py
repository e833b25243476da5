"""Tests of `assistant.models`: no network, no host other than 127.0.0.1."""
