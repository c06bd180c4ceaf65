"""From published weights (XOR releases, Hugging Face folders) to a quantized GGUF file.

Knows nothing of the game: of advrepl it imports only what stands for itself (atomic, regular).
"""

LONGEST_SENTENCE = 1000


class ConvertError(Exception):
    """A file cannot be read or converted; the message is the sentence that is shown, also where a file is quoted."""

    def __init__(self, message: str) -> None:
        half = LONGEST_SENTENCE // 2
        super().__init__(message if len(message) <= LONGEST_SENTENCE else f"{message[:half]} … {message[-half:]}")
