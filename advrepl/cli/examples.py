"""What is shown below the help of a command: lines to try, as they are typed.

Does not run them; the tests parse each.
"""

LINES = {
    "play": (
        "advrepl play                              choose from a list",
        "advrepl play lighthouse --seed 7          the same moves, the same story",
        "advrepl play brindle --you Anna           talk to a character",
        "advrepl play card.png -m pygmalion-2-7b   your own card, on that model",
        "printf '1\\n' | advrepl play start --json  for other programs",
    ),
    "resume": (
        "advrepl resume                            the newest story",
        "advrepl resume start-2 --ctx 2048         a story by its name, with a smaller context",
    ),
    "config": (
        "advrepl config                            what is set",
        "advrepl config theme light                play and resume use it from now on",
        "advrepl config temperature --unset",
    ),
    "models": ("advrepl models", "advrepl models --known                    what to fetch"),
    "pull": (
        "advrepl pull pygmalion-2-7b               by a name of models --known",
        "advrepl pull TheBloke/Pygmalion-2-7B-GGUF:Q5_K_M",
        "advrepl pull PygmalionAI/metharme-1.3b    a folder, to be converted",
    ),
    "serve": (
        "advrepl serve -m pygmalion-2-7b           for this machine",
        "advrepl serve --host 0.0.0.0 --players 4  for the house",
    ),
    "size": (
        "advrepl size pygmalion-2-7b --players 4",
        "advrepl size pygmalion-2-7b --players 4 --card 24:936:71",
    ),
    "convert": (
        "advrepl convert pygmalion-6b              to Q4_K_M, in the models folder",
        "advrepl convert folder -q Q8_0 -o out.gguf",
    ),
    "decode": ("advrepl decode xor_encoded_files llama-7b-hf metharme-7b-hf",),
    "judge": ("advrepl judge m-F16.gguf m-Q4_K_M.gguf m-Q3_K_M.gguf --on the-old-house",),
    "bench": ("advrepl bench -m pygmalion --runs 5", "advrepl bench --json"),
    "tune": ("advrepl tune", "advrepl tune -m pygmalion --ctx 2048"),
}

EXAMPLES = {name: "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines) for name, lines in LINES.items()}
