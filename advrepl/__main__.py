"""`python -m advrepl` is `advrepl`."""

from advrepl.cli import main

main()
