"""One event of a reply, as each kind of server sends it, read with distrust.

Does not know when an event comes (wire.py) nor what is done about it (completion.py).
"""

import json
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from advrepl.engines.remote.dialects import Shape
from advrepl.engines.remote.wire import Gone, Refused, said_of

DONE = "[DONE]"
MOST_PIECE = 1 << 16  # characters of one event


class Figures(Struct, frozen=True):
    """What a server says that a request cost, in tokens."""

    prompt: int
    cached: int
    generated: int
    busy: float = 0.0  # seconds that it computed; 0: it does not say


class Event(Struct, frozen=True):
    """What one event adds to a reply."""

    text: str = ""
    ids: tuple[int, ...] = ()
    finish: str = ""  # why the reply ended, as in Stats.stop; "": it goes on
    figures: Figures | None = None
    progress: tuple[int, int] | None = None  # tokens of the prompt that were read, of how many
    slot: int = -1  # of a llama-server, in which the story is; -1: it does not say


def read_event(data: str, shape: Shape) -> Event | None:
    """Return what an event says; None: it is no reply's. Raises Refused where it tells of an error, else Gone."""
    if data.strip() == DONE:
        return None
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise Gone("what it sent is no reply") from None
    if not isinstance(body, dict):
        raise Gone("what it sent is no reply")
    if said := said_of({"error": body.get("error")}):
        raise Refused(200, said, body=body)
    event = READERS[shape](body)
    if len(event.text) > MOST_PIECE:
        raise Gone("it sends without end")
    return event


def _llama(body: dict[str, Any]) -> Event:
    if isinstance(told := body.get("prompt_progress"), dict):  # beside a token that is none
        done, total, had = (_count(told.get(name)) for name in ("processed", "total", "cache"))
        return Event(progress=(max(done - had, 0), max(total - had, 0)), figures=Figures(total, had, 0))
    finish, figures = "", None
    if body.get("stop") is True:
        finish = {"eos": "end", "word": "stop", "limit": "length"}.get(str(body.get("stop_type")), "end")
        timings = body.get("timings")
        if isinstance(timings, dict):
            had, read = _count(timings.get("cache_n")), _count(timings.get("prompt_n"))
            busy = sum(_milliseconds(timings.get(name)) for name in ("prompt_ms", "predicted_ms")) / 1000
            figures = Figures(had + read, had, _count(timings.get("predicted_n")), busy)
    slot = body.get("id_slot")
    where = slot if isinstance(slot, int) and not isinstance(slot, bool) else -1
    return Event(_text(body.get("content")), _ids(body.get("tokens")), finish, figures, slot=where)


def _openai(body: dict[str, Any]) -> Event:
    choice = _first(body.get("choices"))
    finish = {"stop": "end", "length": "length"}.get(_text(choice.get("finish_reason")), "")
    if finish and isinstance(choice.get("stop_reason"), str):
        finish = "stop"
    if not finish and choice.get("finish_reason"):
        finish = "end"
    return Event(_text(choice.get("text")), _ids(choice.get("token_ids")), finish, _usage(body.get("usage")))


def _chat(body: dict[str, Any]) -> Event:
    choice = _first(body.get("choices"))
    delta = choice.get("delta")
    text = _text(delta.get("content")) if isinstance(delta, dict) else ""
    finish = {"stop": "end", "length": "length"}.get(_text(choice.get("finish_reason")), "")
    return Event(text, (), finish or ("end" if choice.get("finish_reason") else ""), _usage(body.get("usage")))


def _kobold(body: dict[str, Any]) -> Event:
    finish = {"stop": "end", "length": "length"}.get(_text(body.get("finish_reason")), "")
    return Event(_text(body.get("token")), (), finish)


READERS: dict[Shape, Callable[[dict[str, Any]], Event]] = {
    "llama": _llama,
    "openai": _openai,
    "chat": _chat,
    "kobold": _kobold,
}


def _usage(usage: Any) -> Figures | None:
    if not isinstance(usage, dict):
        return None
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else 0
    return Figures(_count(usage.get("prompt_tokens")), cached, _count(usage.get("completion_tokens")))


def _first(choices: Any) -> dict[str, Any]:
    found = choices[0] if isinstance(choices, list) and choices else None
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _ids(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(each for each in value if isinstance(each, int) and not isinstance(each, bool) and each >= 0)


def _milliseconds(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e9 else 0.0


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 1 << 31 else 0
