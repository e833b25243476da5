"""Question to answer. Owns the vocabulary; knows no file format and no screen."""

import os

# Spinning OpenMP threads starve each other as soon as another process is busy: 2-4 instead of
# 19 tokens a second measured on two cores. Read by libgomp when it loads, so it stands here.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
