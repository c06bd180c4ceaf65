"""The peers: programs that complete a text, behind a front-end that drops the oldest turns just to fit, as they do."""

import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import psutil

from advrepl.story.scenario import START
from tests import ROOT
from tests.bench.program import Heard
from tests.bench.setup import SAMPLING, Setup, found, opening, spelled

STOPS = ("<|user|>", "<|model|>", "<|system|>")
SERVER = "llama-server"
BINDING_SERVER = "llama_cpp.server"
PATIENCE = 120.0  # seconds
LEAVING = 10.0


class Backend(Protocol):
    """A program that goes on with a text."""

    def count(self, text: str) -> int: ...
    def complete(self, prompt: str, tokens: int, seed: int) -> Iterator[str]: ...
    def close(self) -> None: ...


class Binding:
    """llama-cpp-python's `Llama.create_completion`."""

    def __init__(self, setup: Setup) -> None:
        layers = -1 if setup.gpu_layers is None else setup.gpu_layers
        command = [sys.executable, "-m", "tests.bench.binding", *map(str, (setup.model, setup.ctx, setup.threads))]
        self._child = subprocess.Popen(
            [*command, str(layers)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self._next("ready")

    def count(self, text: str) -> int:
        self._send({"count": text})
        return int(self._next("count")["tokens"])

    def complete(self, prompt: str, tokens: int, seed: int) -> Iterator[str]:
        self._send({"prompt": prompt, "tokens": tokens, "seed": seed, "stop": STOPS})
        while (event := self._next("piece", "done"))["event"] == "piece":
            if event["text"]:
                yield event["text"]

    def close(self) -> None:
        assert self._child.stdin and self._child.stdout
        self._child.terminate()
        self._child.wait()
        self._child.stdin.close()
        self._child.stdout.close()

    def _send(self, question: dict[str, Any]) -> None:
        assert self._child.stdin
        self._child.stdin.write(json.dumps(question) + "\n")
        self._child.stdin.flush()

    def _next(self, *names: str) -> dict[str, Any]:
        assert self._child.stdout
        line = self._child.stdout.readline()
        event: dict[str, Any] = json.loads(line) if line else {"event": "nothing more"}
        if event["event"] not in names:
            raise SystemExit(f"llama-cpp-python said {event} where {names} was waited for")
        return event


class Http:
    """A program that listens on a port of this machine; it is ready once it answers to this path."""

    def __init__(self, name: str, command: Sequence[str], port: int, ready: str) -> None:
        self._name, self._port = name, port
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115, it lives as long as this does
        self._child = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        try:
            self._wait(ready)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._child.terminate()
        try:
            self._child.wait(LEAVING)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._log.close()

    def processor_time(self) -> float:
        """Seconds that it has computed."""
        times = psutil.Process(self._child.pid).cpu_times()
        return float(times.user + times.system)

    def _answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        connection, response = self._ask("POST", path, body)
        try:
            answer: dict[str, Any] = json.loads(response.read())
            return answer
        finally:
            connection.close()

    def _events(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        connection, response = self._ask("POST", path, {**body, "stream": True})
        try:
            for line in response:
                if line.startswith(b"data: {"):
                    yield json.loads(line[6:])
        finally:
            connection.close()

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10 * PATIENCE)
        connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise SystemExit(f"{self._name} answered {response.status}: {response.read()[:300]!r}")
        return connection, response

    def _wait(self, path: str) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._child.poll() is None:
            try:
                self._ask("GET", path)[0].close()
                return
            except (OSError, SystemExit):  # not listening yet, or still loading
                time.sleep(0.1)
        self._log.seek(0)
        raise SystemExit(f"{self._name} did not start: {self._log.read()[-500:].strip()}")


class Server(Http):
    """llama.cpp's server."""

    def __init__(self, setup: Setup, *arguments: str) -> None:
        program, port = found(SERVER), free_port()
        if not program:
            raise SystemExit(f"there is no {SERVER} on the PATH")
        command = [program, "-m", str(setup.model), "-c", str(setup.ctx), "-t", str(setup.threads), "-np", "1"]
        command += ["--host", "127.0.0.1", "--port", str(port), *arguments]
        command += ["-ngl", str(setup.gpu_layers)] if setup.gpu_layers is not None else []
        super().__init__(SERVER, command, port, "/health")

    def count(self, text: str) -> int:
        return len(self._answer("/tokenize", {"content": text, "add_special": False, "parse_special": True})["tokens"])

    def complete(self, prompt: str, tokens: int, seed: int) -> Iterator[str]:
        body = {"prompt": prompt, "n_predict": tokens, "seed": seed, "stop": STOPS, **SAMPLING}
        for event in self._events("/completion", {**body, "repeat_last_n": 256, "cache_prompt": True}):
            if event.get("content"):
                yield event["content"]
            if event.get("stop"):
                return

    def timed(self, prompt: str) -> tuple[float, float]:
        """Seconds to the first piece behind a prompt, and how many of its tokens were read for that."""
        sent, first, read = time.perf_counter(), 0.0, 0.0
        for event in self._events("/completion", {"prompt": prompt, "n_predict": 1, "cache_prompt": True}):
            first = first or time.perf_counter() - sent
            read = float(event.get("timings", {}).get("prompt_n", read))
        return first, read


class BindingServer(Http):
    """The server that comes with llama-cpp-python."""

    def __init__(self, setup: Setup) -> None:
        port = free_port()
        layers = -1 if setup.gpu_layers is None else setup.gpu_layers
        command = [sys.executable, "-m", BINDING_SERVER, "--model", str(setup.model), "--n_ctx", str(setup.ctx)]
        command += ["--n_threads", str(setup.threads), "--n_threads_batch", str(setup.threads)]
        command += ["--n_gpu_layers", str(layers), "--host", "127.0.0.1", "--port", str(port)]
        super().__init__(BINDING_SERVER, command, port, "/v1/models")

    def count(self, text: str) -> int:
        return int(self._answer("/extras/tokenize/count", {"input": text})["count"])

    def complete(self, prompt: str, tokens: int, seed: int) -> Iterator[str]:
        body = {"prompt": prompt, "max_tokens": tokens, "seed": seed, "stop": STOPS, **SAMPLING}
        for event in self._events("/v1/completions", body):
            if text := event["choices"][0]["text"]:
                yield text


class FrontEnd:
    """Tells a story on a peer: all of it as one text, without the oldest turns when it does not fit."""

    def __init__(
        self, backend: Backend, setup: Setup, format: str, seed: int, told: Sequence[tuple[str, str]] = ()
    ) -> None:
        self._backend, self._setup, self._format, self._seed = backend, setup, format, seed
        self.turns = list(told) or opening(format)
        self.dropped = 0
        self._fixed = backend.count(spelled(format, START, []))
        self._sizes = [self._size(turn) for turn in self.turns]

    def say(self, line: str) -> Heard:
        self._add("user", line)
        while self._fixed + sum(self._sizes[self.dropped :]) + self._setup.reply > self._setup.ctx:
            self.dropped += 1
        prompt = spelled(self._format, START, self.turns[self.dropped :])
        heard, seed = Heard(), self._seed + len(self.turns)
        sent = time.perf_counter()
        for piece in self._backend.complete(prompt, self._setup.reply, seed):
            heard.last = time.perf_counter() - sent
            heard.first = heard.first or heard.last
            heard.text += piece
        heard.whole = time.perf_counter() - sent
        self._add("model", heard.text.strip() or "…")
        return heard

    def close(self) -> None:
        self._backend.close()

    def _add(self, role: str, text: str) -> None:
        self.turns.append((role, text))
        self._sizes.append(self._size(self.turns[-1]))

    def _size(self, turn: tuple[str, str]) -> int:
        """The tokens of a turn with its markers."""
        return self._backend.count(spelled(self._format, START, [turn])) - self._fixed


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
