"""Faults done to the real program in real processes: docs/reliability.md, `make faults` and `make soak`."""
