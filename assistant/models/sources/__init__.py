"""Where model files are downloaded from: one module for each kind of source."""
