"""Models by name: which exist, which are installed, which fits this machine; downloads."""
