"""Comparisons with torch and transformers, which only `make parity` installs.

Without ADVREPL_PARITY=1 they are not collected; with it, a missing torch is a failure, not a skip.
"""

import os

collect_ignore_glob = [] if os.environ.get("ADVREPL_PARITY") == "1" else ["test_*.py"]
