"""The vocabulary of a GGUF file alone, to count the tokens of a model that runs elsewhere.

Reads no weights.
"""

import os
from pathlib import Path

import llama_cpp.llama_cpp as lib

from advrepl import AdvreplError
from advrepl.engines.llama.loading import header_overrides
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.vocab import Vocabulary


class VocabularyFile(Vocabulary):
    """The tokens of a model file, and its chat template. Stays in memory until the program ends."""

    def __init__(self, path: Path, log: Log) -> None:
        log.attach()
        params = lib.llama_model_default_params()
        params.vocab_only = True
        params.kv_overrides = overrides = header_overrides(path)
        model = lib.llama_model_load_from_file(os.fsencode(path), params)
        del overrides  # had to live until here
        if not model:
            raise AdvreplError(f"{path} cannot be read: {log.last_error or 'no reason given'}")
        template = lib.llama_model_chat_template(model, None)
        self.template: str | None = template.decode("utf-8", "replace") if template else None
        super().__init__(model)
