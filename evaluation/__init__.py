"""Measures searches and answers on data sets."""
