"""From a file to pages to chunks in the library. The only place that knows file formats."""
