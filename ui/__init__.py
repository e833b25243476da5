"""The faces: the command line and the page. They hold no logic the library lacks."""
