#!/usr/bin/env bash
# llama-cpp-python 0.3.36 built from its sdist by GCC 12.2 for a processor with AMX (Xeon from Sapphire Rapids on).
#
# Expected: a build for this machine's own processor (GGML_NATIVE, the default) runs on it.
# Seen: the built library raises a general protection fault at the first matrix product of a quantized model.
# ggml fills a tile configuration of 64 bytes on the stack and loads it with _tile_loadconfig. GCC 12 declares that the
# instruction reads 8 bytes of it, so the assignments of rows and columns count as dead and are left out: what is loaded
# is 1 for the palette, zeros, and whatever lies on the stack. Nothing is run here: the object code is looked at.
# Cure: build with -mno-amx-tile, or with a GCC whose header names all 64 bytes.
set -euo pipefail
CXX=${CXX:-g++-12}
command -v "$CXX" > /dev/null || { echo "needs $CXX (Debian 12: apt-get install g++-12) and objdump"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip download -q --no-deps --no-binary llama-cpp-python llama-cpp-python==0.3.36
tar xzf llama_cpp_python-0.3.36.tar.gz
ggml=llama_cpp_python-0.3.36/vendor/llama.cpp/ggml
assigned=$(sed -n '/void ggml_tile_config_init/,/_tile_loadconfig/p' "$ggml/src/ggml-cpu/amx/mmq.cpp" | grep -oE 'tc\.[a-z_]+(\[[0-9]\])? *=' | wc -l)
"$CXX" -O3 -std=c++17 -march=sapphirerapids -I"$ggml/include" -I"$ggml/src" -I"$ggml/src/ggml-cpu" \
    -c "$ggml/src/ggml-cpu/amx/mmq.cpp" -o mmq.o
objdump -d --no-show-raw-insn mmq.o > mmq.asm
place=$(grep -m1 -oE 'ldtilecfg +[-0-9a-fx]*\(%[a-z]+\)' mmq.asm | grep -oE '[-0-9a-fx]*\(.*')
stored=$(grep -m1 -B40 ldtilecfg mmq.asm | grep -E 'mov[a-z0-9]* .*,' | grep -cF ",$place" || true)
echo "$("$CXX" --version | head -1)"
echo "fields that ggml assigns: $assigned; stores to the configuration that are left before ldtilecfg: $stored"
if [ "$assigned" -eq 18 ] && [ "$stored" -le 2 ]; then
    echo "as found: the rows and columns of the tiles are never stored"
else
    echo "changed"
    exit 1
fi
