"""What macros stand for, and the names of those that take no arguments.

Does not know how a macro is written (parser.py), nor what those with arguments do (table.py).
"""

from datetime import datetime, timedelta

from msgspec import Struct, field


class MacroContext(Struct, frozen=True):
    """What the macros stand for. Fields of the card may hold macros themselves; names and messages are inert."""

    user: str = "You"
    char: str = "Narrator"
    description: str = ""
    personality: str = ""
    scenario: str = ""
    persona: str = ""
    mes_examples: str = ""
    system: str = ""
    post_history: str = ""
    creator_notes: str = ""
    depth_prompt: str = ""
    original: str = ""  # the text that the one being expanded replaces
    greetings: tuple[str, ...] = ()
    version: str = ""
    model: str = ""
    input: str = ""
    last_message: str = ""
    last_user_message: str = ""
    last_char_message: str = ""
    last_message_id: str = ""
    note: str = ""  # of the author, as the player wrote it
    max_context: str = ""  # tokens
    now: datetime = field(default_factory=lambda: datetime.now().astimezone())
    idle: timedelta | None = None  # since the player's last turn


# The names of macros without arguments, and the field of the context that each stands for, in three kinds: inert text,
# text of the card with macros of its own, and what changes with the story.
INERT_FIELDS = {
    "user": "user", "char": "char", "notchar": "user", "group": "char", "groupnotmuted": "char",
    "charifnotgroup": "char", "model": "model", "charversion": "version", "char_version": "version",
    "version": "version", "maxcontext": "max_context", "maxcontexttokens": "max_context", "maxprompt": "max_context",
    "maxprompttokens": "max_context", "authorsnote": "note",
}  # fmt: skip
CARD_FIELDS = {
    "description": "description", "chardescription": "description", "personality": "personality",
    "charpersonality": "personality", "scenario": "scenario", "charscenario": "scenario", "persona": "persona",
    "mesexamples": "mes_examples", "mesexamplesraw": "mes_examples", "charprompt": "system",
    "systemprompt": "system", "charjailbreak": "post_history", "charinstruction": "post_history",
    "charcreatornotes": "creator_notes", "creatornotes": "creator_notes", "chardepthprompt": "depth_prompt",
}  # fmt: skip
MESSAGE_FIELDS = {
    "lastmessage": "last_message", "lastusermessage": "last_user_message", "lastcharmessage": "last_char_message",
    "lastmessageid": "last_message_id", "input": "input",
}  # fmt: skip
# What these stand for in SillyTavern does not exist here, or is the prompt format's to place.
FIXED = dict.fromkeys(
    (
        "noop", "else", "maxresponse", "maxresponsetokens", "firstincludedmessageid", "firstdisplayedmessageid",
        "lastswipeid", "currentswipeid", "charauthorsnote", "defaultauthorsnote", "summary", "defaultsystemprompt",
        "instructsystem", "instructsystemprompt", "exampleseparator", "chatseparator", "chatstart",
        "instructstorystringprefix", "instructstorystringsuffix", "instructuserprefix", "instructinput",
        "instructusersuffix", "instructassistantprefix", "instructoutput", "instructassistantsuffix",
        "instructseparator", "instructsystemprefix", "instructsystemsuffix", "instructfirstassistantprefix",
        "instructfirstoutputprefix", "instructlastassistantprefix", "instructlastoutputprefix", "instructstop",
        "instructuserfiller", "instructsysteminstructionprefix", "instructfirstuserprefix", "instructfirstinput",
        "instructlastuserprefix", "instructlastinput",
    ),
    "",
) | {"ismobile": "false", "lastgenerationtype": "normal"}  # fmt: skip
TIME_FORMATS = {
    "time": "LT", "date": "LL", "weekday": "dddd", "isotime": "HH:mm", "isodate": "YYYY-MM-DD",
}  # fmt: skip
