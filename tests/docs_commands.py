"""What the docs tell to type: the commands of all pages, one a line.

Runs nothing; test_readme.py, test_walk.py and terminal/commands/test_typed.py do.
"""

import re
from pathlib import Path

from tests import ROOT

GENERATED = "options.md"  # by docs_tables.py
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
WRITTEN = [page for page in PAGES if page.name != GENERATED]
MAP = "design.md"  # its blocks are walks through the code
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"<!-- commands -->.*?<!-- /commands -->", re.DOTALL)
# Programs of others that a player or an admin starts; what we say of them is looked at in test_readme.py.
OTHERS = (
    "pip", "pipx", "uv", "git", "sudo", "xcode-select", "export", "printf", "keyring", "llama-server",
    "ggml-rpc-server", "llama-perplexity", "llama-bench",
)  # fmt: skip


def typed(page: Path) -> list[str]:
    """The commands of a page: those of its blocks, and what in its text begins like one."""
    text = TABLE.sub("", page.read_text())
    blocks = "" if page.name == MAP else re.sub(r"\s*\\\n\s*", " ", "\n".join(BLOCK.findall(text)))
    inline = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", BLOCK.sub("", text))]
    found = [re.split(r"  +|\s+#|^#", line)[0].strip() for line in blocks.split("\n")]
    lines = [re.sub(r"^(\$ |\.venv/bin/)", "", line) for line in (*found, *filter(is_typed, inline)) if line]
    return list(dict.fromkeys(lines))


def is_typed(code: str) -> bool:
    """Does this begin as a line at a shell, or in a story, does?"""
    return bool(re.match(r"/[a-z]+( |$)", code)) or program(code) in ("advrepl", "make", "python", *OTHERS)


def program(line: str) -> str:
    """What a line runs, behind the variables that it sets."""
    return re.sub(r"^([A-Z_]+=(\"[^\"]*\"|\S*) )*(\.venv/bin/)?", "", line).split(" ")[0]


def of(*programs: str) -> list[tuple[str, str]]:
    """The pages with the lines that run one of these."""
    return [(page.name, line) for page in WRITTEN for line in typed(page) if program(line) in programs]


def in_a_story() -> list[str]:
    """The /commands of all pages but servers.md, where such words are paths of a server."""
    pages = [page for page in WRITTEN if page.name != "servers.md"]
    return sorted({line for page in pages for line in typed(page) if line.startswith("/")})
