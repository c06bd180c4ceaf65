"""Find out what a server is, by three questions, and what it says of its model.

Does not write replies (engine.py does).
"""

import re
from typing import Any
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from advrepl import AdvreplError
from advrepl.engines.remote import dialects
from advrepl.engines.remote.dialects import Dialect
from advrepl.engines.remote.wire import Gone, Interrupted, Refused, Wire
from advrepl.hints import did_you_mean

LOADING = 300.0  # seconds that a server may take to load its model
PAUSE = 2.0  # seconds between two questions whether it is ready
_SIZE = re.compile(r"(?<![\w.])(\d{1,4}(?:[.]\d{1,2})?)\s?([bm])(?![a-z])", re.IGNORECASE)
OVERFLOW = re.compile(r"(?:maximum context length is|exceed context window of|context size \(?n_ctx\)? ?[=:]?) ?(\d+)")


class Server(Struct, frozen=True):
    """What is known of a server and the model that it plays."""

    dialect: Dialect
    model: str  # as the server calls it
    n_ctx: int | None = None  # tokens; None: it does not say
    n_params: int | None = None
    template: str | None = None
    borders: tuple[str, str] = ("", "")
    slots: int = 1  # requests that it works on at a time
    version: str = ""

    @property
    def name(self) -> str:
        """Return what the model is called, without folders and the ending of a file."""
        name = re.split(r"[/\\]", self.model.rstrip("/\\"))[-1]
        return name.removesuffix(".gguf") or self.model


def identify(wire: Wire, tell: Any = lambda _: None) -> Server:
    """Ask who is there; waits while a model is loaded. Raises AdvreplError where nobody is, or the model is not."""
    try:
        version = _version(wire)
        listed = _listed(wire, tell)
        return _known(wire, listed, version)
    except Interrupted:
        raise AdvreplError(f"{wire.address.root}: not waited for") from None
    except Gone as gone:
        raise AdvreplError(
            f"{wire.address.root}: {gone}: start the server, or play a model of this machine with --model FILE"
        ) from None
    except Refused as no:
        raise AdvreplError(f"{wire.address.root}: {why(no)}") from None


def why(no: Refused) -> str:
    """Return what a refusal means, with what to do."""
    if no.status in (401, 403):
        return "the server wants a key, or another one: put it into ADVREPL_API_KEY"
    if no.status == 404:
        return f"this is no server that continues text ({no.said or 'it has no model list'})"
    if 300 <= no.status < 400:
        return "the server points to another address: give that one"
    return f"the server refuses ({no.status}): {no.said or 'it does not say why'}"


def _version(wire: Wire) -> str:
    """Only vLLM and what came from it have one."""
    try:
        answer = wire.get("/version")
    except Refused:
        return ""
    return str(answer.get("version", "")) if isinstance(answer, dict) else ""


def _listed(wire: Wire, tell: Any) -> list[dict[str, Any]]:
    waited = 0.0
    while True:
        try:
            wire.get("/health")
        except Refused as no:
            if no.status == 503 and waited < LOADING:
                if not waited:
                    tell(f"{wire.address.root} is loading its model")
                wire.wait(PAUSE)
                waited += PAUSE
                continue
        answer = wire.get("/v1/models")
        found = answer.get("data") if isinstance(answer, dict) else None
        models = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        if not models:
            raise AdvreplError(f"{wire.address.root} has no model to play")
        return models


def _known(wire: Wire, listed: list[dict[str, Any]], version: str) -> Server:
    entry = _chosen(wire, listed)
    model, owner = str(entry.get("id", "")), entry.get("owned_by")
    if owner == "llamacpp":
        return _llama_server(wire, entry, model)
    if owner == "me":
        return _server(dialects.LLAMA_CPP_SERVER, model)
    if owner == "koboldcpp":
        return _server(dialects.KOBOLDCPP, model, _kobold_context(wire))
    context = _number(entry.get("max_model_len"))
    if version:
        kind = dialects.VLLM if owner == "vllm" else dialects.APHRODITE
        return replace(_server(kind, model, context), version=version, slots=0)
    return _server(dialects.OTHER, model, context)


def _chosen(wire: Wire, listed: list[dict[str, Any]]) -> dict[str, Any]:
    names = {str(entry.get("id", "")): entry for entry in listed}
    for entry in listed:
        names |= {str(each): entry for each in entry.get("aliases") or () if isinstance(entry.get("aliases"), list)}
    asked = wire.address.model
    if asked in names:
        return names[asked]
    some = ", ".join(list(names)[:6])
    if asked:
        hint = did_you_mean(asked, {name: name for name in names}) or f"it has {some}"
        raise AdvreplError(f"{wire.address.root} has no model {asked}: {hint}")
    if len(listed) > 1:
        raise AdvreplError(f"{wire.address.root} has several models: add #NAME to the address ({some})")
    return listed[0]


def _server(dialect: Dialect, model: str, n_ctx: int | None = None) -> Server:
    return Server(dialect, model, n_ctx, told_size(model))


def _llama_server(wire: Wire, entry: dict[str, Any], model: str) -> Server:
    props = wire.get("/props" if not isinstance(entry.get("status"), dict) else f"/props?model={quote(model)}")
    props = props if isinstance(props, dict) else {}
    settings, meta = props.get("default_generation_settings"), entry.get("meta")
    settings, meta = (each if isinstance(each, dict) else {} for each in (settings, meta))
    template = props.get("chat_template")
    return Server(
        dialects.LLAMA_SERVER,
        model,
        _number(settings.get("n_ctx")) or _number(meta.get("n_ctx")),
        _number(meta.get("n_params")) or told_size(model),
        template if isinstance(template, str) and template else None,
        (str(props.get("bos_token") or ""), str(props.get("eos_token") or "")),
        _number(props.get("total_slots")) or 1,
        str(props.get("build_info") or ""),
    )


def _kobold_context(wire: Wire) -> int | None:
    try:
        answer = wire.get("/api/extra/true_max_context_length")
    except Refused:
        return None
    return _number(answer.get("value")) if isinstance(answer, dict) else None


def told_size(name: str) -> int | None:
    """Return how many parameters a model has by its name, as in "Pygmalion-2-7B"; None: it does not tell."""
    found = _SIZE.findall(name.replace("_", "-").replace("-", " "))
    return int(float(found[-1][0]) * (1e9 if found[-1][1] in "bB" else 1e6)) if found else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 62 else None
