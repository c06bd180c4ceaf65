"""Comparisons with SillyTavern's own modules and with other programs' cards, which only `make sillytavern` installs.

Without ADVREPL_SILLYTAVERN (the folder with their packages) they are not collected; with it, a missing node is a
failure, not a skip.
"""

import os

collect_ignore_glob = [] if os.environ.get("ADVREPL_SILLYTAVERN") else ["test_*.py"]
