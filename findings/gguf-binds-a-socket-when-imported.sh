#!/usr/bin/env bash
# gguf 0.19.0 with mistral-common 1.13.1 beside it (as transformers and vLLM bring it along), urllib3 2.8.0.
#
# Expected: a library that reads a model file opens no socket when it is imported.
# Seen: `import gguf` alone binds a TCP socket to ::1. gguf.vocab imports mistral_common where it is installed, that
# imports requests for pictures by address, and urllib3 finds out by binding whether there is IPv6. Nothing is sent, but
# a sandbox without network calls ends the program, and a test that a program opens no socket fails only on machines
# where mistral-common happens to be.
# Cure: let bind to ::1 with port 0 pass where network calls are watched; or read headers without gguf.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q gguf==0.19.0 urllib3==2.8.0
cat > watch.py << 'EOF'
import sys

seen = []
sys.addaudithook(lambda event, told: seen.append(told[1]) if event == "socket.bind" else None)
import gguf  # noqa: E402, F401

print("bound while gguf was imported:", seen)
raise SystemExit(seen != ([("::1", 0)] if sys.argv[1] == "beside" else []))
EOF
venv/bin/python watch.py alone
venv/bin/pip install -q mistral-common==1.13.1 requests urllib3==2.8.0
venv/bin/python watch.py beside
echo "as found"
