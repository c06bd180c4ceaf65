"""From published weights (XOR releases, Hugging Face folders) to a quantized GGUF file.

Knows nothing of the game: of advrepl it imports only what stands for itself (atomic).
"""


class ConvertError(Exception):
    """A file cannot be read or converted; the message is the sentence that is shown."""
