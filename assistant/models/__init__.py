"""Which models there are, which are here, and which of them fits this machine."""
