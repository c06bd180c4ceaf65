# Shows in one line how far pip is, of what it says with -v: what it installs, and how much of llama.cpp is compiled.
function show(text) { printf "\r%-70s", substr(text, 1, 70); fflush() }
BEGIN { "date +%s" | getline begun; close("date +%s") }
match($0, /\[[0-9]+\/[0-9]+\]/) {
    split(substr($0, RSTART + 1, RLENGTH - 2), count, "/")
    if (count[2] < 20) next  # not llama.cpp
    "date +%s" | getline now; close("date +%s")
    left = count[1] > 0 ? (now - begun) * (count[2] - count[1]) / count[1] : 0
    show(sprintf("compiling llama.cpp: %d of %d files, %d%%, about %d:%02d left", \
        count[1], count[2], 100 * count[1] / count[2], left / 60, left % 60))
}
/^ *(Collecting|Downloading) / { begun_with = $2; sub(/==.*/, "", begun_with); show("installing " begun_with) }
/^ *Successfully installed/ { printf "\r%-70s\n", "installed" }
