"""A short list of models that people play with, by the memory that they need; the family that this was made for first.

Where they lie is written down, not looked up: `advrepl pull` asks the hub what is there.
"""

from msgspec import Struct


class KnownModel(Struct, frozen=True):
    """A model as the list shows it."""

    name: str  # which `advrepl pull` takes
    repo: str
    file: str  # a part of the file's name; empty: the whole folder, to be converted
    memory_gb: float  # to play in, as a Q4_K_M
    about: str


KNOWN = (
    KnownModel("metharme-1.3b", "PygmalionAI/metharme-1.3b", "", 2, "the smallest Metharme (GPT-NeoX); convert it"),
    KnownModel("pygmalion-2-7b", "TheBloke/Pygmalion-2-7B-GGUF", "Q4_K_M", 6, "the one to try first, with 8 GB"),
    KnownModel("pygmalion-2-13b", "TheBloke/Pygmalion-2-13B-GGUF", "Q4_K_M", 11, "its larger sister"),
    KnownModel("mythalion-13b", "TheBloke/Mythalion-13B-GGUF", "Q4_K_M", 11, "Pygmalion-2 with more prose"),
    KnownModel("pygmalion-6b", "PygmalionAI/pygmalion-6b", "", 6, "for chats (GPT-J); convert it"),
    KnownModel(
        "smollm2-1.7b", "HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF", "q4_k_m", 2, "a general one, for less memory"
    ),
)


def find(name: str) -> KnownModel | None:
    """Return the model of a name of the list."""
    return next((each for each in KNOWN if each.name == name.casefold()), None)
