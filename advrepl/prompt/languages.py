"""What the program says to the model besides the story, or knows of the language it is told in; a value a language.

A language without a value is played without options of ours: better none than English ones in a Polish story. Words are
those of scripts.py. Does not decide when any of it is said (play/offers.py, prompt/formats.py).
"""

from functools import lru_cache

import regex
from msgspec import Struct
from msgspec.structs import replace

from advrepl import AdvreplError
from advrepl.lazy_regex import lazy
from advrepl.scripts import words


class Language(Struct, frozen=True):
    """A language that stories are told in."""

    code: str  # ISO 639-1, as `--language` takes it
    name: str
    common: frozenset[str]  # words (Japanese: characters) of nearly every text, and seldom of one in another language
    letters: str = ""  # what only this language writes, as a class of characters
    # Should a model offer the same thing three times; more than a menu has, all unlike each other.
    spare: tuple[str, ...] = ()
    # Words that begin a statement or a question rather than something to do; options begin with them less often.
    statements: tuple[str, ...] = ()
    you: frozenset[str] = frozenset()  # an option that begins with it is the same without
    joints: str = ""  # a pattern: where a line that ran too long may be cut so that a whole sentence is left
    dangling: str = ""  # a pattern of words that no sentence ends with
    name_is: str = ""  # tells the narrator of an adventure who plays
    persona_of: str = ""  # opens the description of the player, by name
    persona: str = ""  # the same for one without a name
    example: str = ""  # stands before example dialogues
    lengths: tuple[tuple[str, str], ...] = ()  # asks the narrator for short replies, and for medium ones


def _words(*lines: str) -> tuple[str, ...]:
    return tuple(" ".join(lines).split())


ENGLISH = Language(
    "en",
    "English",
    frozenset(
        _words(
            "the and of to you your is are it that with for from at as but he she his her him they them was were this",
            "there have has had into through against what who",
        )
    ),
    spare=(
        "Look around carefully.",
        "Wait and see what happens.",
        "Turn back the way you came.",
        "Call out loudly.",
        "Search your pockets.",
        "Hide and listen.",
        "Move on quickly.",
        "Think about what brought you here.",
        "Climb higher to see more.",
        "Knock and wait for an answer.",
        "Feel your way along the wall.",
        "Follow the nearest sound.",
        "Sneak closer without a sound.",
        "Rest for a moment.",
        "Inspect the ground for traces.",
        "Light something to see by.",
    ),
    statements=_words(
        "You Your I My It He She They We His Her There This That These The A An In As If What How Why Is Are", "Do Can"
    ),
    you=frozenset({"you"}),
    joints=r"and|but|or|then|so|while|before|because|as|who|which|where|until",
    dangling=r"a|an|the|of|to|in|on|at|with|and|or|for|from|by|that|your|its|some|very",
    example="Example dialogue:",
    name_is="The user's name is {you}.",
    persona_of="{you}'s persona: {persona}",
    persona="The user's persona: {persona}",
    lengths=(
        ("short", "Keep each reply short: two or three sentences."),
        ("medium", "Keep each reply to one paragraph."),
    ),
)
RUSSIAN = Language(
    "ru",
    "Russian",
    frozenset(_words("и в не на что ты вы это как он она его её но из за по с к у от так все был была тебя тебе вас")),
    spare=(
        "Внимательно осмотреться.",
        "Подождать и посмотреть, что будет.",
        "Вернуться тем же путём.",
        "Громко позвать кого-нибудь.",
        "Проверить карманы.",
        "Спрятаться и прислушаться.",
        "Быстро идти дальше.",
        "Вспомнить, что привело сюда.",
        "Подняться повыше.",
        "Постучать и ждать ответа.",
        "Зажечь свет.",
        "Немного отдохнуть.",
    ),
    statements=_words(
        "Ты Вы Твой Ваш Я Мой Мы Он Она Оно Они Его Её Их Это Эта Этот Там Здесь В На Если Что Как Почему Кто"
    ),
    you=frozenset({"ты", "вы"}),
    joints=r"и|но|а|или|потом|затем|чтобы|пока|потому что|который|которая|которые|где|когда",
    dangling=r"и|а|но|или|в|во|на|с|со|к|ко|у|о|об|от|до|из|за|для|по|под|над|при|что|как|не|чтобы",
    name_is="Игрока зовут {you}.",
    persona_of="Кто такой {you}: {persona}",
    persona="Кто такой игрок: {persona}",
    example="Пример диалога:",
    lengths=(("short", "Отвечай коротко: два-три предложения."), ("medium", "Каждый ответ — один абзац.")),
)
GERMAN = Language(
    "de",
    "German",
    frozenset(
        [
            "der",
            "die",
            "das",
            "und",
            "ist",
            "nicht",
            "du",
            "dir",
            "dich",
            "ein",
            "eine",
            "einen",
            "mit",
            "auf",
            "dem",
            "den",
            "im",
            "zu",
            "sich",
            "von",
            "es",
            "sie",
            "er",
            "ihr",
            "wir",
        ]
    ),
    spare=(
        "Sieh dich genau um.",
        "Warte ab, was geschieht.",
        "Geh den Weg zurück.",
        "Ruf laut nach jemandem.",
        "Durchsuche deine Taschen.",
        "Versteck dich und lausche.",
        "Geh schnell weiter.",
        "Denk nach, was dich herführte.",
        "Steig höher, um mehr zu sehen.",
        "Klopf an und bleib stehen.",
        "Mach ein Licht an.",
        "Ruh dich einen Moment aus.",
    ),
    statements=_words(
        "Du Dein Deine Ihr Ich Mein Es Er Sie Wir Sein Seine Das Dies Diese Dort Der Die Ein Eine Im Wenn Was",
        "Wie Warum Ist",
    ),
    you=frozenset({"du", "ihr"}),
    joints=r"und|aber|oder|dann|während|bevor|weil|als|der|die|das|wo|bis",
    dangling=r"der|die|das|den|dem|des|eine?|eine[nmr]|und|oder|in|im|an|am|auf|mit|von|zu|zum|zur|für|aus|deine?|sehr",
    name_is="Der Spieler heißt {you}.",
    persona_of="Wer {you} ist: {persona}",
    persona="Wer der Spieler ist: {persona}",
    example="Beispieldialog:",
    lengths=(("short", "Antworte jedes Mal kurz: zwei oder drei Sätze."), ("medium", "Jede Antwort ist ein Absatz.")),
)
FRENCH = Language(
    "fr",
    "French",
    frozenset(
        [
            "le",
            "la",
            "les",
            "et",
            "est",
            "un",
            "une",
            "des",
            "du",
            "de",
            "vous",
            "tu",
            "es",
            "que",
            "qui",
            "dans",
            "pas",
            "ne",
            "il",
            "elle",
            "en",
            "sur",
            "pour",
            "avec",
            "au",
            "ce",
            "se",
        ]
    ),
    spare=(
        "Observer les alentours avec soin.",
        "Attendre la suite.",
        "Revenir sur vos pas.",
        "Appeler à voix haute.",
        "Fouiller vos poches.",
        "Se cacher et écouter.",
        "Avancer rapidement.",
        "Réfléchir à votre venue ici.",
        "Monter plus haut.",
        "Frapper à la porte.",
        "Allumer une lumière.",
        "Se reposer un instant.",
    ),
    statements=_words(
        "Vous Tu Votre Ton Ta Je Mon Il Elle Ils Elles Nous On C'est Ce Cette Ces Le La Les Un Une Dans Si",
        "Que Qui Comment Pourquoi",
    ),
    you=frozenset({"tu", "vous"}),
    joints=r"et|mais|ou|puis|alors|pendant que|avant de|parce que|qui|que|où|jusqu'à",
    dangling=r"le|la|les|un|une|des|du|de|à|au|aux|en|dans|sur|avec|et|ou|pour|par|que|qui|votre|son|sa|très",
    name_is="Le joueur s'appelle {you}.",
    persona_of="Qui est {you} : {persona}",
    persona="Qui est le joueur : {persona}",
    example="Exemple de dialogue :",
    lengths=(
        ("short", "Réponds brièvement : deux ou trois phrases."),
        ("medium", "Chaque réponse tient en un paragraphe."),
    ),
)
JAPANESE = Language(
    "ja",
    "Japanese",
    frozenset("のはをにがでと"),
    letters=r"\p{Hiragana}\p{Katakana}",
    spare=(
        "辺りを注意深く見回す。",
        "様子を見て待つ。",
        "来た道を引き返す。",
        "大声で呼びかける。",
        "ポケットの中を探る。",
        "隠れて耳を澄ます。",
        "急いで先へ進む。",
        "ここへ来た理由を考える。",
        "もっと高い所へ登る。",
        "扉をノックする。",
        "明かりをつける。",
        "少し休憩する。",
    ),
    statements=("あなた", "君", "私", "僕", "彼", "彼女", "それ", "これ", "その", "この", "そこ", "もし", "何", "なぜ"),
    you=frozenset(),
    joints="",
    dangling="",
    name_is="プレイヤーの名前は{you}です。",
    persona_of="{you}の人物像：{persona}",
    persona="プレイヤーの人物像：{persona}",
    example="会話の例：",
    lengths=(("short", "返事は毎回短く、二、三文にしてください。"), ("medium", "返事は毎回一段落にしてください。")),
)
# Of another language nothing is known. Its model is told in English who plays, but nothing that is read is English.
OTHER = replace(ENGLISH, code="", name="another language", spare=(), statements=(), joints="", dangling="")

# Neighbours, only so that they are not taken for one of the above: Spanish, Catalan, Italian, Portuguese, Dutch,
# Swedish, Norwegian and Danish, Ukrainian, Bulgarian, Polish.
_NEIGHBOURS = tuple(
    frozenset(_words(common))
    for common in (
        "el la los las y de que en un una con por no se te tu es está estás al del su lo delante",
        "el la els les i de que en un una amb per no es et ets tu davant sobre",
        "il la di che e un una con per non si ti tu sei è del della al lo gli le",
        "o a os as e de que em um uma com por não se você tu está do da no na seu",
        "de het een en van in je op is dat met voor niet zijn hij ze er aan",
        "och att det som en ett på är för av med den de du dig han hon inte till framför i var dina din",
        "og at det som en et på er for av med den de du deg dig han hun ikke til foran i var dine din jeg",
        "і й в у не на що ти ви це як він вона за по з до від та її його із",
        "и в не на че ти си да се с за от по е са пред като го",
        "i w nie na się z do że to jest ty jak za po przed o jesteś",
    )
)

LANGUAGES = {each.code: each for each in (ENGLISH, RUSSIAN, GERMAN, FRENCH, JAPANESE)}
YOU = frozenset().union(*(each.you for each in LANGUAGES.values()))
SHARE = 0.12  # of the words of a text are its language's common ones; prose has 0.25 and more
FEW = 3  # words in which there may be no common one
# Cyrillic letters of Ukrainian, Belarusian, Serbian and Macedonian alone.
_NOT_RUSSIAN = lazy(r"[іїєґўјљњћђѓќџѕ]", regex.IGNORECASE)
_CYRILLIC = lazy(r"[\p{Cyrillic}\P{L}]*")
_ASCII = lazy(r"[\x00-\x7F\p{P}\p{S}\p{Zs}]*")


def told_in(asked: str, *texts: str) -> Language:
    """Return the language that was asked for by its code, else the one of the first text that tells one.

    A few words of plain ASCII are taken for English where nothing tells more.
    """
    if asked:  # of a save, which may be newer or written by hand
        return LANGUAGES.get(asked, OTHER)
    found = next((language for text in texts if (language := of(text))), None)
    if found:
        return found
    said = " ".join(texts)
    return ENGLISH if _ASCII.fullmatch(said) and len(words(said)) <= FEW else OTHER


def code(name: str) -> str:
    """Return the code of a language by its code or name; empty for "auto", as the story's text tells."""
    known = {"auto": ""} | {key: each.code for each in LANGUAGES.values() for key in (each.code, each.name.casefold())}
    if name.casefold() not in known:
        there = ", ".join(f"{each.code} ({each.name})" for each in LANGUAGES.values())
        raise AdvreplError(f"there is no language {name[:20]!r} to tell in: use {there} or auto")
    return known[name.casefold()]


@lru_cache(maxsize=256)
def of(text: str) -> Language | None:
    """Return the language of a text, by the words that stand in any; None: it is none of these, or nothing tells."""
    said = [word.casefold() for word in words(text)]
    for language in LANGUAGES.values():
        if language.letters and regex.search(f"[{language.letters}]", text):
            return language
    counts = {code: _count(said, each.common) for code, each in LANGUAGES.items()}
    best = max(counts, key=lambda code: counts[code])
    least = max(SHARE * len(said), *(_count(said, common) for common in _NEIGHBOURS))
    found = LANGUAGES[best] if counts[best] and counts[best] >= least else None
    if not found and said and least <= SHARE * len(said) and _CYRILLIC.fullmatch(text):
        found = RUSSIAN  # a few words may hold no common one; most of what is written so is Russian
    return None if found is RUSSIAN and _NOT_RUSSIAN.search(text) else found


def _count(said: list[str], common: frozenset[str]) -> int:
    return sum(word in common for word in said)
