"""The command line and the page. They hold no logic that a program would miss."""
