"""Real servers on this machine, and stories that are played on them (`make servers`)."""
