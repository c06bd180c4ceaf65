"""Every parser of foreign bytes, fed with changed ones: `make fuzz`, docs/reliability.md."""
