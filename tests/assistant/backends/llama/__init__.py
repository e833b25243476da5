"""Tests of the llama.cpp backend."""
