"""From a question to an answer. Owns the vocabulary; knows no file format and no screen."""

import os

# OpenMP threads that spin while they wait starve each other as soon as another process is busy;
# those that never spin sleep too often. Tokens a second written alone / beside two busy processes
# on two cores: spinning 11.9 / 1.6, not spinning 9.1 / 4.2, spinning for some tens of
# microseconds 11.8 / 5.1. Read by libgomp when it loads, so it stands here.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
