"""Does llama.cpp understand a grammar? A llama_cpp.server that is sent one that it does not ends.

Needs no model.
"""

import llama_cpp.llama_cpp as lib


def parses(grammar: str) -> bool:
    """Tell whether this is GBNF with a rule `root`."""
    if not grammar:
        return False
    made = lib.llama_sampler_init_grammar(None, grammar.encode(), b"root")
    if made:
        lib.llama_sampler_free(made)
    return bool(made)
