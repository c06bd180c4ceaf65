"""The lines @@name at the head of an entry: what each changes, and that none is left in the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl.lore import decorators


@pytest.mark.parametrize(
    ("content", "text", "change"),
    [
        ("plain @@ text", "plain @@ text", {}),
        ("@@depth 5\n@@@position after_desc\n\nText\n@@role x", "Text\n@@role x", {"position": "depth", "depth": 5}),
        ("@@shine 4\n@@@glow\n@@@depth 2\nText", "Text", {"position": "depth", "depth": 2}),
        ("@@depth 1\n@@depth 2\n@@position before_desc\nText", "Text", {"position": "before", "depth": 1}),
        ("@@position scenario\n@@depth 3\nText", "Text", {"position": "after", "depth": 3}),
        ("@@role pope\n@@depth x\nText", "Text", {}),
        ("@@activate_only_after 3\n@@activate_only_every 2\n@@is_greeting 1\n@@scan_depth 9\nT", "T",
         {"activate_only_after": 3, "activate_only_every": 2, "greeting": 1, "scan_depth": 9}),
        ("@@additional_keys a, b\n@@exclude_keys c\n@@ignore_on_max_context\nT", "T",
         {"additional_keys": ("a", "b"), "exclude_keys": ("c",), "ignore_on_max_context": True}),
        ("@@dont_activate\nT", "T", {"enabled": False}),
        ("@@dont_activate\n@@activate\nT", "T", {"activate": True}),
        ("@@keep_activate_after_match", "", {"sticky": 1_000_000_000}),
    ],
)  # fmt: skip
def test_decorators(content: str, text: str, change: dict[str, object]) -> None:
    assert decorators.read(content) == (text, change)


@given(st.text(st.sampled_from("@ a\n_depthctiv0,"), max_size=200))
def test_no_decorator_line_is_left_at_the_head(content: str) -> None:
    text, _ = decorators.read(content)
    assert decorators.LINE.match(text) is None or text == content
