"""The tests mirror the packages; what they share is in `conftest.py` and the modules beside it."""
