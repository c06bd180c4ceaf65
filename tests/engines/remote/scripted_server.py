"""A server on a free port of this machine that answers as each kind of server does, and fails as it is told to."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LLAMA, LCP, VLLM, APHRODITE, KOBOLD = "llama-server", "llama_cpp.server", "vLLM", "Aphrodite", "KoboldCpp"
OTHER, CHAT = "other", "chat"
KINDS = (LLAMA, LCP, VLLM, APHRODITE, KOBOLD)
OWNERS = {LLAMA: "llamacpp", LCP: "me", VLLM: "vllm", APHRODITE: "pygmalionai", KOBOLD: "koboldcpp"}
CONTEXT = 900
SPECIALS = re.compile(r"<\|[a-z_]+\|>")
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
FIRST_ID = 10  # of a word; control tokens are 2 to 9


class Scripted(ThreadingHTTPServer):
    """What it was asked, and what it says next: the last of `acts` is said again and again."""

    daemon_threads = True

    def __init__(self, kind: str, *acts: "Act") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kind, self.acts = kind, [*acts]
        self.asked: list[dict[str, Any]] = []  # requests for a reply
        self.tokenized: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.words = [f"<{number}>" for number in range(FIRST_ID)]
        self.hung_up = threading.Event()  # has a client gone before the end of a reply?
        self.model = "smol-135M"
        self.is_dead = False
        self.slots = 1

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def ids(self, text: str, marks: bool) -> list[int]:
        """A token for each word with the space before it; for a control token only where these are looked for."""
        found: list[int] = []
        for part in re.findall(r"<\|[a-z_]+\|>|\n| *[^\s<]+| +|<", text):
            if marks and SPECIALS.fullmatch(part):
                found.append(2 + len(part) % 8)
                continue
            if part not in self.words[FIRST_ID:]:
                self.words.append(part)
            found.append(self.words.index(part, FIRST_ID))
        return found

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are written one after the other
    server: Scripted

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.server.keys.append(self.headers.get("Authorization", ""))
        found = _facts(self.server).get(self.path)
        if found is None:
            self.answer(404, {"error": {"message": "File Not Found"}})
        else:
            self.answer(200, found)

    def do_POST(self) -> None:
        if self.server.is_dead:
            self.close_connection = True
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.keys.append(self.headers.get("Authorization", ""))
        if "tokeni" in self.path or "tokencount" in self.path:
            self.server.tokenized.append(body)
            self.answer(200, _tokens(self.server, body))
        elif body.get("stream"):
            self.server.asked.append(body)
            acts = self.server.acts
            (acts.pop(0) if len(acts) > 1 else acts[0])(self, self.server.kind)
        else:  # a llama_cpp.server is asked how long its context is
            said = f"This model's maximum context length is {CONTEXT} tokens, however you requested 262145 tokens"
            self.answer(400, {"error": {"message": said, "code": "context_length_exceeded"}})

    def answer(self, status: int, body: Any, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def event(self, data: str) -> None:
        self.raw(f"data: {data}\n\n".encode())

    def raw(self, data: bytes) -> None:
        try:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()
        except OSError:
            self.server.hung_up.set()
            raise

    def end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")


Act = Callable[[_Handler, str], None]


def says(*pieces: str, finish: str = "stop", cached: int = 0, pause: float = 0.0) -> Act:
    """A whole reply."""

    def act(handler: _Handler, kind: str) -> None:
        handler.begin()
        for text in pieces:
            handler.event(piece(handler.server, kind, text))
            time.sleep(pause)
        for line in last(kind, finish, len(handler.server.asked[-1].get("prompt", "")), cached, len(pieces)):
            handler.event(line)
        handler.end()

    return act


def stops_at(text: str, cached: int) -> Act:
    """A vLLM's reply that ended with a stop text."""

    def act(handler: _Handler, kind: str) -> None:
        handler.begin()
        ids = handler.server.ids(text, False)
        handler.event(json.dumps({"choices": [{"text": text, "finish_reason": "stop", "token_ids": ids}]}))
        for line in last(kind, "stop", len(handler.server.asked[-1]["prompt"]), cached, len(ids))[1:]:
            handler.event(line)
        handler.end()

    return act


def lingers(handler: _Handler, kind: str) -> None:
    """A whole reply, behind which the connection stays open."""
    handler.begin()
    handler.event(piece(handler.server, kind, " Yes."))
    handler.event(last(kind, "stop", 9, 0, 1)[0])
    handler.connection.settimeout(5)
    handler.connection.recv(1)


def goes_on(*pieces: str) -> Act:
    """A reply of which only so much is said as does not stand at the end of the prompt yet."""

    def act(handler: _Handler, kind: str) -> None:
        server = handler.server
        prompt, ids = server.asked[-1]["prompt"], [server.ids(text, False) for text in pieces]
        there = next(
            k for k in range(len(pieces), -1, -1) if k == 0 or prompt[-k:] == [i for each in ids[:k] for i in each]
        )
        says(*pieces[there:])(handler, kind)

    return act


def breaks_off(*pieces: str) -> Act:
    """Dies in the middle of a reply: the body is never finished."""

    def act(handler: _Handler, kind: str) -> None:
        handler.begin()
        for text in pieces:
            handler.event(piece(handler.server, kind, text))

    return act


def ends_without_reason(*pieces: str) -> Act:
    """`[DONE]`, but no finish_reason: a llama_cpp.server that somebody else has interrupted."""

    def act(handler: _Handler, kind: str) -> None:
        handler.begin()
        for text in pieces:
            handler.event(piece(handler.server, kind, text))
        handler.event("[DONE]")
        handler.end()

    return act


def tells_error(*pieces: str) -> Act:
    """An error inside a 200, closed in order: a vLLM whose engine died."""

    def act(handler: _Handler, kind: str) -> None:
        handler.begin()
        for text in pieces:
            handler.event(piece(handler.server, kind, text))
        handler.event(json.dumps({"error": {"message": "EngineCore died", "code": 500}}))
        handler.event("[DONE]")
        handler.end()

    return act


def refuses(status: int, body: Any, **headers: str) -> Act:
    return lambda handler, _: handler.answer(status, body, **headers)


def is_empty(handler: _Handler, _: str) -> None:
    handler.begin()
    handler.end()


def sends_garbage(handler: _Handler, _: str) -> None:
    handler.begin()
    handler.event("<html>")
    handler.end()


def hangs_up(handler: _Handler, _: str) -> None:
    handler.close_connection = True


def never_ends(handler: _Handler, kind: str) -> None:
    handler.begin()
    endless = piece(handler.server, kind, " on" * 300)
    while True:
        handler.event(endless)


def falls_silent(*pieces: str) -> Act:
    """Writes a little, then nothing until the client has gone; notes that."""

    def act(handler: _Handler, kind: str) -> None:
        handler.begin()
        for text in pieces:
            handler.event(piece(handler.server, kind, text))
        handler.connection.settimeout(5)
        if handler.connection.recv(1) == b"":
            handler.server.hung_up.set()

    return act


@contextmanager
def serving(kind: str, *acts: Act) -> Iterator[Scripted]:
    server = Scripted(kind, *acts or (says(" Yes."),))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _facts(server: Scripted) -> dict[str, Any]:
    kind = server.kind
    entry: dict[str, Any] = {"id": server.model, "owned_by": OWNERS.get(kind, "somebody")}
    facts: dict[str, Any] = {"/v1/models": {"data": [entry]}}
    if kind == LLAMA:
        entry["meta"] = {"n_ctx": CONTEXT, "n_params": 134_515_008}
        facts["/props"] = {
            "default_generation_settings": {"n_ctx": CONTEXT},
            "total_slots": server.slots,
            "chat_template": TEMPLATE,
            "bos_token": "<|im_start|>",
            "eos_token": "<|im_end|>",
        }
    if kind in (VLLM, APHRODITE):
        entry["max_model_len"] = CONTEXT
        facts |= {"/version": {"version": "0.32.0"}}
    if kind in (LLAMA, VLLM, APHRODITE):
        facts["/health"] = {"status": "ok"}
    if kind == KOBOLD:
        facts["/api/extra/true_max_context_length"] = {"value": CONTEXT}
    if kind == OTHER:
        facts["/v1/completions"] = {}
    return facts


def _tokens(server: Scripted, body: dict[str, Any]) -> dict[str, Any]:
    text: Any = body.get("content", body.get("prompt", body.get("input")))
    if isinstance(text, list):
        parts = [server.ids(each, False) if isinstance(each, str) else [each] for each in text]
        return {"tokens": [token for part in parts for token in part]}
    ids = server.ids(text, body.get("parse_special", True))
    if server.kind == LCP:
        ids = [1, *ids]
    return {"tokens": ids, "ids": ids, "value": len(ids), "count": len(ids)}


def piece(server: Scripted, kind: str, text: str) -> str:
    ids = server.ids(text, False)
    if kind == LLAMA:
        return json.dumps({"content": text, "tokens": ids, "stop": False, "id_slot": 2})
    if kind == KOBOLD:
        return json.dumps({"token": text, "finish_reason": None})
    if kind == CHAT:
        return json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": None}]})
    return json.dumps({"choices": [{"text": text, "finish_reason": None, "token_ids": ids}]})


def last(kind: str, finish: str, prompt: int, cached: int, generated: int) -> list[str]:
    if kind == LLAMA:
        stop = {"stop": "eos", "length": "limit"}.get(finish, "word")
        timings = {"cache_n": cached, "prompt_n": prompt - cached, "predicted_n": generated, "prompt_ms": 0.2}
        return [json.dumps({"content": "", "tokens": [], "stop": True, "stop_type": stop, "timings": timings})]
    if kind == KOBOLD:
        return [json.dumps({"token": "", "finish_reason": finish})]
    if kind == CHAT:
        return [json.dumps({"choices": [{"delta": {}, "finish_reason": finish}]}), "[DONE]"]
    lines = [json.dumps({"choices": [{"text": "", "finish_reason": finish}]})]
    if kind in (VLLM, APHRODITE):
        usage = {"prompt_tokens": prompt, "completion_tokens": generated}
        usage |= {"prompt_tokens_details": {"cached_tokens": cached}}  # type: ignore[dict-item]
        lines.append(json.dumps({"choices": [], "usage": usage}))
    return [*lines, "[DONE]"]
