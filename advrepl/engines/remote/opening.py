"""Open an engine on a server: who is there, how tokens are counted, how long the context is.

Does not write replies (engine.py does).
"""

from pathlib import Path
from typing import cast

from msgspec.structs import replace

from advrepl import AdvreplError, paths
from advrepl.engines.base import DEFAULT_CTX, LoadOptions
from advrepl.engines.files import check_file
from advrepl.engines.remote import dialects
from advrepl.engines.remote.address import Address, api_key, check_encrypted
from advrepl.engines.remote.branches import RemoteBranching
from advrepl.engines.remote.completion import Tell, told_context
from advrepl.engines.remote.engine import RemoteEngine
from advrepl.engines.remote.identify import Server, identify
from advrepl.engines.remote.tokens import OwnTokenizer, RemoteTokens
from advrepl.engines.remote.wire import Gone, Interrupted, Refused, Wire
from convert import ConvertError
from convert.config import read_object

PROBE = 1 << 18  # words of a prompt that is longer than any context of a llama_cpp.server


def open_server(
    address: Address, options: LoadOptions, notice: Tell, tokenizer: Path | None = None, insecure: bool = False
) -> RemoteEngine:
    """Return an engine on a server; raises AdvreplError.

    `tokenizer`: a GGUF file or a folder that counts the tokens of a server that does not.
    """
    check_encrypted(address, insecure)
    wire = Wire(address, api_key(address))
    try:
        server = identify(wire, notice)
        own = open_tokenizer(tokenizer) if tokenizer else None
        if server.dialect is dialects.OTHER:
            notice(f"{address.root} is of a kind that is not known here: it is sent what all servers know")
            if not _continues_text(wire):
                notice("it has a chat endpoint only, which spells the story in its own way")
                server = replace(server, dialect=dialects.CHAT_ONLY)
        if own and not server.template and own.template:
            server = replace(server, template=own.template, borders=(own.special(own.bos), own.special(own.eos)))
        tokens = RemoteTokens(wire, server, own)
        n_ctx = context_of(wire, server, options.ctx, notice)
        if server.dialect.ahead and options.branches:
            engine: RemoteEngine = RemoteBranching(wire, server, tokens, n_ctx, options.branches)
        else:
            engine = RemoteEngine(wire, server, tokens, n_ctx)
        _tell(engine, server, options, notice)
        return engine
    except BaseException:  # also Ctrl-C
        wire.close()
        raise


def _tell(engine: RemoteEngine, server: Server, options: LoadOptions, notice: Tell) -> None:
    if options.threads or options.gpu_layers is not None or options.kv:
        notice("--threads, --gpu-layers and --kv are for models of this machine: the server has its own")
    if not server.dialect.tokenizer and not engine.tokens.knows_ids:
        notice("sizes are estimated, as the server does not count tokens: --tokenizer FILE counts them")
    if not engine.format_hint and not engine.template:
        notice("neither the server nor the model's name says how prompts are spelled: --format does")
    engine.tell = notice


def _continues_text(wire: Wire) -> bool:
    try:
        wire.get(dialects.OTHER.path)
    except Refused as no:
        return no.status != 404
    except (Gone, Interrupted):
        return True
    return True


class FileTokenizer(OwnTokenizer):
    """The vocabulary of a model file or folder."""

    bos: int
    eos: int
    template: str | None

    def special(self, token: int) -> str:
        """Return a control token as templates write it."""
        raise NotImplementedError


def open_tokenizer(path: Path) -> FileTokenizer:
    """Return the tokenizer of a GGUF file, of which no weights are read, or of a Hugging Face folder."""
    if path.is_dir():
        from advrepl.engines.hf.vocab import Vocabulary

        try:
            rows = read_object(path / "config.json")["vocab_size"]
        except (OSError, ConvertError, KeyError):
            raise AdvreplError(f"{path} holds no config.json that names the size of its vocabulary") from None
        return cast(FileTokenizer, Vocabulary(path, rows))
    from advrepl.engines.llama.log import Log
    from advrepl.engines.llama.vocab_file import VocabularyFile

    check_file(path)
    return cast(FileTokenizer, VocabularyFile(path, Log(paths.llama_log())))


def context_of(wire: Wire, server: Server, asked: int | None, tell: Tell) -> int:
    """Return how many tokens the context has: what the server says, or the player, or what it takes at the most."""
    told = server.n_ctx
    if told is None and asked is None and server.dialect is dialects.LLAMA_CPP_SERVER:
        told = _overflowing(wire, server)
    if told is None:
        if asked is None:
            tell(
                f"the server does not say how long its context is: {DEFAULT_CTX} tokens are taken for it; --ctx says it"
            )
        return asked or DEFAULT_CTX
    if asked and asked > told:
        tell(f"the server's context has {told} tokens, not {asked}")
    return min(asked or told, told)


def _overflowing(wire: Wire, server: Server) -> int | None:
    """A llama_cpp.server says how long its context is only to a prompt that is longer, which it does not read."""
    asked = {"model": server.model, "prompt": " a" * PROBE, "max_tokens": 1, "stream": False}
    try:
        wire.post(server.dialect.path, asked)
    except Refused as no:
        return told_context(no)
    except (Gone, Interrupted):
        return None
    return None
