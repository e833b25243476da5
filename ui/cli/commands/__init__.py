"""The commands, a module for each noun. They ask the library or the assistant, and print."""
