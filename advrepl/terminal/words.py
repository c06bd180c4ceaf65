"""What the program itself says around a story, in the player's language; where a language has no words, in English.

Only what is on the screen in every game: errors, help and notices of commands are English. Knows no game.
"""

import os
from collections.abc import Mapping

KEPT = "kept in {path}"
HELP = "/help lists commands and keys, Ctrl-D leaves"
CHOOSE = "1-{count}, or your own words"
LEAVE = "Ctrl-D or /quit leaves; the story is saved"
LEAVE_UNSAID = "Ctrl-D or /quit leaves"
STOPPED = "stopped; /continue goes on from here, /retry begins the reply again"
CUT = "cut at its length; /continue goes on from here, /length makes replies longer"
GO_ON = "The story is kept in {path}. Go on with: {command}"
YOUR_TURN = "Your turn: "
YOU_CAN = "You can:"
LOADING = "loading the model: {percent}%"
READING = "the model reads the story"
WAITS = "this waits until the model is loaded"

# language -> what is said in English -> what is said in it
TABLE: dict[str, dict[str, str]] = {
    "de": {
        KEPT: "gespeichert in {path}",
        HELP: "/help zeigt Befehle und Tasten, Strg-D beendet",
        CHOOSE: "1-{count}, oder in eigenen Worten",
        LEAVE: "Strg-D oder /quit beendet; die Geschichte ist gespeichert",
        LEAVE_UNSAID: "Strg-D oder /quit beendet",
        STOPPED: "angehalten; /continue macht hier weiter, /retry beginnt die Antwort neu",
        CUT: "auf ihre Länge gekürzt; /continue macht hier weiter, /length macht Antworten länger",
        GO_ON: "Die Geschichte liegt in {path}. Weiter mit: {command}",
        YOUR_TURN: "Sie sind dran: ",
        YOU_CAN: "Sie können:",
        LOADING: "das Modell wird geladen: {percent}%",
        READING: "das Modell liest die Geschichte",
        WAITS: "das wartet, bis das Modell geladen ist",
    },
    "fr": {
        KEPT: "enregistré dans {path}",
        HELP: "/help montre les commandes et les touches, Ctrl-D quitte",
        CHOOSE: "1-{count}, ou vos propres mots",
        LEAVE: "Ctrl-D ou /quit quitte ; l'histoire est enregistrée",
        LEAVE_UNSAID: "Ctrl-D ou /quit quitte",
        STOPPED: "arrêté ; /continue reprend ici, /retry recommence la réponse",
        CUT: "coupé à sa longueur ; /continue reprend ici, /length allonge les réponses",
        GO_ON: "L'histoire est dans {path}. Pour continuer : {command}",
        YOUR_TURN: "À vous : ",
        YOU_CAN: "Vous pouvez :",
        LOADING: "chargement du modèle : {percent}%",
        READING: "le modèle lit l'histoire",
        WAITS: "ceci attend que le modèle soit chargé",
    },
    "ru": {
        KEPT: "сохраняется в {path}",
        HELP: "/help покажет команды и клавиши, Ctrl-D — выход",
        CHOOSE: "1-{count} или свои слова",
        LEAVE: "Ctrl-D или /quit — выход; история сохранена",
        LEAVE_UNSAID: "Ctrl-D или /quit — выход",
        STOPPED: "остановлено; /continue продолжит отсюда, /retry начнёт ответ заново",
        CUT: "обрезано по длине; /continue продолжит отсюда, /length сделает ответы длиннее",
        GO_ON: "История сохранена в {path}. Продолжить: {command}",
        YOUR_TURN: "Ваш ход: ",
        YOU_CAN: "Можно:",
        LOADING: "загрузка модели: {percent}%",
        READING: "модель читает историю",
        WAITS: "это подождёт, пока загрузится модель",
    },
    "ja": {
        KEPT: "保存先: {path}",
        HELP: "/help でコマンドとキーの一覧、Ctrl-D で終了",
        CHOOSE: "1-{count}、または自由に入力",
        LEAVE: "Ctrl-D か /quit で終了します。物語は保存済みです",
        LEAVE_UNSAID: "Ctrl-D か /quit で終了します",
        STOPPED: "中断しました。/continue で続き、/retry で書き直します",
        CUT: "長さの上限で切れました。/continue で続き、/length で返事を長くできます",
        GO_ON: "物語は {path} に保存されました。続きは: {command}",
        YOUR_TURN: "あなたの番です: ",
        YOU_CAN: "選択肢:",
        LOADING: "モデルを読み込み中: {percent}%",
        READING: "モデルが物語を読んでいます",
        WAITS: "モデルの読み込みが終わるまで待ちます",
    },
}


def language(environment: Mapping[str, str]) -> str:
    """Return the code of the player's language, as gettext finds it; "en" where there are no words in it."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if set_to := environment.get(name):
            code = set_to.replace("-", "_").partition("_")[0].partition(".")[0].casefold()
            return code if code in TABLE else "en"
    return "en"


def words(english: str, **values: object) -> str:
    """Return what stands for an English text in the player's language, with these values put in."""
    return TABLE.get(language(os.environ), {}).get(english, english).format(**values)
