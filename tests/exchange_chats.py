"""Chats as other programs write them, in their own forms."""

import json
from typing import Any

SILLYTAVERN = "\n".join(
    json.dumps(line)
    for line in (
        {"chat_metadata": {"integrity": "x", "note_prompt": "It rains.", "note_depth": 3}, "user_name": "unused",
         "character_name": "unused"},
        {"name": "Mira", "is_user": False, "is_system": False, "send_date": "2026-03-01T10:00:00.000Z",
         "mes": "Come in!", "extra": {}, "swipe_id": 1, "swipes": ["Go away.", "Come in!"], "swipe_info": []},
        {"name": "Tom", "is_user": True, "is_system": False, "send_date": "March 1, 2026 10:01am", "mes": "I do.",
         "extra": {}},
        {"name": "Mira", "is_user": False, "is_system": True, "mes": "hidden", "extra": {}},
        {"name": "Mira", "is_user": False, "is_system": False, "mes": "Sit.", "extra": {"reasoning": "He is tired."}},
    )
) + '\n{"name": "Mira", "is_user": false, "mes": "to'  # fmt: skip
WEBUI = {
    "internal": [["<|BEGIN-VISIBLE-CHAT|>", "Come in!"], ["I do.", "Sit."]],
    "visible": [["", "Come in!"], ["I do.", "Sit."]],
    "metadata": {"assistant_1": {"versions": [{"content": "Stand."}, {"content": "Sit."}], "current_version_index": 1}},
}
AGNAI = {
    "name": "An evening",
    "messages": [
        {"msg": "Come in!", "characterId": "c", "name": "Mira"},
        {"msg": "I do.", "userId": "u", "handle": "Tom"},
        {"msg": "Sit.", "characterId": "c", "name": "Mira", "retries": ["Stand."]},
    ],
}
RISU = {
    "type": "risuChat",
    "ver": 2,
    "data": {
        "name": "An evening",
        "note": "It rains.",
        "message": [
            {"role": "char", "data": "Come in!"}, {"role": "user", "data": "I do."}, {"role": "char", "data": "Sit."},
        ],
    },
}  # fmt: skip
RISU_PAGE = """
            <!DOCTYPE html>
            <html><head><title>Mira Chat</title></head><body>
                    <div class="container"><div class="chat"><h2>Mira</h2><div>Come in!</div></div></div>
                    <div class="idat">{"name":"An evening","note":"","localLore":[],"message":[
        {"role":"char","data":"Come in!"},{"role":"user","data":"I do."},{"role":"char","data":"Sit."}]}</div>
                </body>
"""
RISU_TEXT = "--Mira\nCome in!\n\n--Tom\nI do.\n\n--Mira\nSit."
MARINARA_TEXT = (
    "Chat: An evening\nDate: 2026-09-01T09:00:00.000Z\n" + "─" * 50 + "\n"
    "\n[System] (9/1/2026, 9:00:00 AM)\nAt dusk.\n\n[Mira] (9/1/2026, 9:01:00 AM)\nCome in!\n[Thinking]\nHe is wet.\n"
    "\n[User] (9/1/2026, 9:02:00 AM)\nI do.\n\n[Mira] (9/1/2026, 9:03:00 AM)\nSit."
).replace("─\n\n[", "─\n[")
MARINARA = "\n".join(
    json.dumps(line)
    for line in [
        {"user_name": "Tom", "character_name": "Mira", "create_date": "2026-09-01T09:00:00.000Z",
         "chat_metadata": {"mode": "roleplay", "branchName": "", "marinara_metadata": {"mode": "roleplay"}}},
        {"name": "System", "is_user": False, "is_system": True, "role": "system", "character_id": None,
         "mes": "At dusk.", "swipes": ["At dusk."], "swipe_id": 0, "extra": {"marinara_role": "system"}},
        {"name": "Narrator", "is_user": False, "is_system": False, "role": "narrator", "character_id": None,
         "mes": "Come in!", "swipes": ["Come in!"], "swipe_id": 0, "extra": {"marinara_role": "narrator"}},
        {"name": "User", "is_user": True, "is_system": False, "role": "user", "character_id": None,
         "mes": "I do.", "swipes": ["I do."], "swipe_id": 0, "extra": {"hiddenFromAI": True, "marinara_role": "user"}},
        {"name": "Mira", "is_user": False, "is_system": False, "role": "assistant", "character_id": "m",
         "mes": "Sit.", "reasoning_content": "He is tired.", "swipes": ["Stand.", "Sit.", "Lie."], "swipe_id": 2,
         "extra": {"marinara_role": "assistant", "marinara_swipes": [{"index": 0, "extra": {}, "created_at": ""}]}},
    ]
)  # fmt: skip
CHARACTER_AI = {
    "histories": {
        "histories": [
            {"msgs": [
                {"src": {"is_human": False}, "text": "Come in!"}, {"src": {"is_human": True}, "text": "I do."},
                {"src": {"is_human": False, "name": "Mira"}, "text": "Sit.", "is_alternative": False},
                {"src": {"is_human": False, "name": "Mira"}, "text": "Stand.", "is_alternative": True},
            ]}
        ]
    }
}  # fmt: skip
AI_DUNGEON_2 = {
    "story_start": "Come in!", "seed": 1, "actions": ["> I do."], "results": ["Sit."], "choices": [], "context": "",
}  # fmt: skip
AIDCAT = [
    {"title": "An evening", "memory": "Mira is kind.", "authorsNote": "It rains.",
     "actions": [{"text": "Come in!"}, {"text": "\n> I do.\n"}, {"text": "Sit."}],
     "worldInfo": [{"keys": "door,gate", "entry": "The door is red."}]},
]  # fmt: skip
MESSAGES = {
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "assistant", "content": "Come in!"},
        {"role": "user", "content": [{"type": "text", "text": "I do."}]},
        {"role": "assistant", "content": "Sit."},
    ]
}
LLAMA_CPP = "\n".join(
    json.dumps(line)
    for line in (
        {"type": "session", "id": "1"},
        {"type": "message", "message": {"role": "assistant", "content": "Come in!"}},
        {"type": "message", "message": {"role": "user", "content": "I do."}},
        {"type": "message", "message": {"role": "assistant", "content": "Sit."}},
    )
)
# As AI Dungeon's server answers a script in a browser.
AI_DUNGEON = {
    "data": {
        "adventure": {
            "title": "An evening", "memory": "Mira is kind.", "authorsNote": "It rains.",
            "actionWindow": [
                {"text": "Come in!", "type": "story", "undoneAt": None}, {"text": "\n> I do.\n", "type": "do"},
                {"text": "Stand.", "type": "continue", "undoneAt": "2025-01-01"}, {"text": "Sit.", "type": "continue"},
            ],
            "storyCards": [{"keys": "door, gate", "value": "The door is red.", "type": "place", "title": "Door"}],
        },
        "adventureState": {"details": {"storySummary": ""}},
    }
}  # fmt: skip
# llama.cpp's page: each message names the one before it.
LLAMA_CPP_TREE: dict[str, Any] = {
    "conv": {"id": "c", "name": "An evening", "currNode": "4", "lastModified": 1},
    "messages": [
        {"id": "r", "type": "root", "role": "system", "content": "", "parent": None, "children": ["1"]},
        {"id": "1", "type": "text", "role": "assistant", "content": "Come in!", "parent": "r", "children": ["2", "6"]},
        {"id": "2", "type": "text", "role": "user", "content": "I do.", "parent": "1", "children": ["t", "5"]},
        {"id": "t", "type": "text", "role": "tool", "content": "{}", "parent": "2", "children": ["4"]},
        {"id": "4", "type": "text", "role": "assistant", "content": "Sit.", "parent": "t", "children": [],
         "reasoningContent": "He is tired."},
        {"id": "5", "type": "text", "role": "assistant", "content": "Stand.", "parent": "2", "children": []},
        {"id": "6", "type": "text", "role": "user", "content": "No.", "parent": "1", "children": ["7"]},
        {"id": "7", "type": "text", "role": "assistant", "content": "Then go.", "parent": "6", "children": []},
    ],
}  # fmt: skip
LINES = "Mira: Come in!\n\nYou: I do.\nMira: Sit.\n"
KOBOLD = {
    "gamestarted": True, "prompt": "Come in!", "memory": "Mira is kind.", "authorsnote": "It rains.",
    "anotetemplate": "[Author's note: <|>]", "actions": ["\n\n> I do.\n", "Si", "t.[<|p|abc|p|>]"],
    "actions_metadata": {}, "worldinfo": [{"key": "door,gate", "content": "The door is red."}],
    "savedsettings": {"opmode": 2},
}  # fmt: skip
KOBOLD_CHAT = KOBOLD | {
    "prompt": "Mira: Come in!", "actions": ["\nTom: I do.\nMira:", " Sit."],
    "savedsettings": {"opmode": 3, "chatname": "Tom", "chatopponent": "Mira||$||Ann"},
}  # fmt: skip
# Kobold Lite keeps the line ends of its tags as a backslash and an n.
KOBOLD_TAGS = KOBOLD | {
    "actions": ["\n### Input:\nI do.", "\n### Output:\nSit."],
    "savedsettings": {"opmode": 4, "instruct_starttag": "\\n### Input:\\n", "instruct_endtag": "\\n### Output:\\n"},
}
KOBOLD_MARKS = KOBOLD | {"actions": ["\n{{[INPUT]}}\nI do.\n{{[OUTPUT]}}\n", "Sit."], "savedsettings": None}
KOBOLD_2 = {
    "file_version": 2, "prompt": "Come in!", "memory": "base64:gASVCgAAAAAAAACMBmV2aWwhlC4=",
    "authornote": "It rains.",
    "actions": {"action_count": 1, "actions": {
        "10": {"Selected Text": "Sit."}, "9": {"Selected Text": "\n\n> I do.\n", "Options": []},
    }},
    "worldinfo_v2": {"entries": {"0": {"key": ["door"], "content": "The door is red."}}},
}  # fmt: skip
EVERY = {
    "webui": WEBUI, "agnai": AGNAI, "risu": RISU, "cai": CHARACTER_AI, "aid2": AI_DUNGEON_2, "aidcat": AIDCAT,
    "messages": MESSAGES, "kobold": KOBOLD, "kobold chat": KOBOLD_CHAT, "kobold marks": KOBOLD_MARKS,
    "kobold 2": KOBOLD_2, "kobold tags": KOBOLD_TAGS, "aid": AI_DUNGEON, "llama.cpp tree": LLAMA_CPP_TREE,
}  # fmt: skip
EVERY_TEXT = {name: json.dumps(chat) for name, chat in EVERY.items()} | {
    "sillytavern": SILLYTAVERN, "llama.cpp": LLAMA_CPP, "lines": LINES, "marinara": MARINARA,
    "marinara text": MARINARA_TEXT, "risu text": RISU_TEXT, "risu page": RISU_PAGE,
}  # fmt: skip
