"""What /help says of a topic: its commands, and examples as they are typed.

Does not list the commands; help.py does.
"""

# topic -> (the modules whose commands belong to it, what it is about, examples with what they do)
TOPICS: dict[str, tuple[tuple[str, ...], str, tuple[tuple[str, str], ...]]] = {
    "turns": (
        ("story", "verbs"),
        "go on, go back",
        (
            ("2", "take the second option"),
            ("I look for a key.", "do or say something of your own"),
            ('"Who is there?"', "say it, in quotation marks"),
            ("/roll 1d20 jump", "try it, and let the dice tell"),
            ("/me", "let the model write your line, and change it"),
            ("/retry", "have the reply written again"),
            ("/options 0", "play without options"),
        ),
    ),
    "takes": (
        ("tree",),
        "other takes, branches, old turns in other words",
        (
            ("/tree", "the story with its branches, and the numbers of turns"),
            ("/takes 4", "the takes of turn 4; Left and Right read them"),
            ("/edit 4", "change its words"),
            ("/branch dark", "what follows has a name; /goto dark comes back to it"),
        ),
    ),
    "words": (
        ("sampling",),
        "choose how bold and how long the words are",
        (
            ("/set temperature 0.6", "calmer"),
            ("/preset good-winds", "settings that others play with"),
            ("/ban shivers down", "a phrase that no reply holds"),
            ("/length short", "shorter replies"),
        ),
    ),
    "scene": (
        ("scenario", "portrait", "memory", "inventory"),
        "who plays, and what the model knows",
        (
            ("/you Anna: a tall sailor", "your name, and who you are"),
            ("/memory The key is lost.", "never forgotten"),
            ("/recap on", "keep a sentence of each turn that the model no longer sees"),
            ("/inventory +key -lamp", "what you have, if it was not told right; /where hall"),
            ("/note Keep it eerie.", "told again and again"),
            ("/lore world.json", "a lorebook or world info file"),
        ),
    ),
    "sight": (
        ("window", "reading"),
        "what the model sees, and how fast it is",
        (
            ("/context", "how full its memory is"),
            ("/stats", "how fast it was"),
            ("/raw", "its text, to the letter"),
        ),
    ),
    "stories": (
        ("save", "switch"),
        "save, copy, begin another",
        (
            ("/new lighthouse", "another story; this one is kept"),
            ("/load", "choose one of your stories"),
            ("/model", "choose another model for this one"),
            ("/save ~/copy", "write a copy"),
        ),
    ),
}
KEYS = "keys"


def topic_names() -> dict[str, str]:
    """Return the topics with a word on each."""
    return {name: about for name, (_, about, _) in TOPICS.items()} | {KEYS: "what the keys do"}
