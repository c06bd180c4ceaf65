"""Texts with macros, as people write them and as they come out of a generator: the cases of test_macros.py."""

import random

NAMES = (
    *("user", "char", "description", "personality", "scenario", "persona", "mesExamples", "charPrompt", "version"),
    *("charInstruction", "charDepthPrompt", "creatorNotes", "charVersion", "greeting", "charFirstMessage", "group"),
    *("notChar", "groupNotMuted", "charIfNotGroup", "lastMessage", "lastUserMessage", "lastCharMessage", "input"),
    *("lastMessageId", "allChatRange", "time", "date", "weekday", "isotime", "isodate", "idleDuration", "model"),
    *("maxPrompt", "maxContext", "isMobile", "original", "noop", "newline", "space", "trim", "else", "systemPrompt"),
)
HAND_WRITTEN = (
    "{{//note}}a{{// note}}b{{comment:c}}d{{comment::e}}",
    "a{{//}}hidden {{user}}{{///}}b",
    "{{// a {{user}} b}}x",
    "{{setvar::x::5}}{{if .x}}yes{{else}}no{{/if}}",
    "{{setvar::x::0}}{{if .x}}yes{{else}}no{{/if}}",
    "{{if .x}}yes{{else}}no{{/if}}{{if $x}}yes{{else}}no{{/if}}",
    "{{setglobalvar::g::on}}{{if $g}}yes{{else}}no{{/if}}{{$g}}",
    "{{setvar::x::a}}{{if {{.x == a}}}}yes{{else}}no{{/if}}",
    "{{setvar::x::b}}{{if {{.x == a}}}}yes{{else}}no{{/if}}",
    "{{setvar::x::b}}{{if !{{.x == a}}}}yes{{else}}no{{/if}}",
    "{{setvar::x::4}}{{.x > 3}} {{.x >= 4}} {{.x < 4}} {{.x <= 4}} {{.x != 4}} {{.x == 4}} {{.x > b}}",
    "{{setvar::mood}}\n  grumpy\n{{/setvar}}I am {{getvar::mood}}.",
    "{{#setvar::mood}}\n  grumpy\n{{/setvar}}I am [{{getvar::mood}}].",
    "{{reverse}}abc{{/reverse}} {{reverse::{{user}}}} {{reverse:a:b}}",
    "[{{trim}}  a b\n {{/trim}}]",
    "one\n\n{{trim}}\n\ntwo {{ trim }} three",
    "{{#if description}}yes{{else}}no{{/if}}",
    "{{#if description}} yes {{else}} no {{/if}}",
    "{{if::1::text}} {{if::0::text}} {{if::description::{{char}}}}",
    "{{if::0::text{{else}}other}}",
    "{{.x = 5}}{{.x}} {{.x++}} {{.x--}} {{.x += 2}}{{.x}} {{.x -= 4}}{{.x}}",
    "{{.x=5}}{{.x++}}{{$y=a}}{{$y+=b}}{{$y}}{{ . x }}",
    "{{.x ?? none}} {{.x || none}} {{.x ??= set}} {{.x}} {{.y ||= two}} {{.y}}",
    "{{setvar::x::0}}{{.x ?? a}} {{.x || b}} {{.x ||= c}} {{.x}} {{.x ??= d}}",
    "{{.x = {{char}} and {{user}}}}{{.x}}",
    "{{if user}}\n    # Heading\n      more\n    less\n{{/if}}",
    "{{if user}}\n\tA\n\t\tB\n{{else}}\n\tC\n{{/if}}.",
    "{{#if user}}\n  A\n{{/if}}.",
    "\\{\\{char\\}\\} \\{x\\} \\\\{",
    "{{if 1}}\\{\\{char\\}\\}{{/if}}",
    "{{hasvar::x}}{{setvar::x::}}{{hasvar::x}}{{deletevar::x}}{{hasvar::x}}{{varexists::x}}{{flushvar::x}}",
    "{{setvarkey::o::a::1}}{{setvarkey::o::b::two}}{{getvarkey::o::a}} {{getvarkey::o::b}} {{getvar::o}}",
    "{{setvarindex::l::0::a}}{{setvarindex::l::2::c}}{{getvarindex::l::0}} {{getvarindex::l::1}}. {{getvar::l}}",
    "{{addvar::l::x}}{{getvar::l}}{{setvar::l::[]}}{{addvar::l::x}}{{addvar::l::2}}{{getvar::l}} {{incvar::l}}",
    "{{setvar::o::text}}{{setvarkey::o::a::1}}{{getvarkey::o::a}}{{getvarkey::none::a}}|",
    "{{setglobalvarkey::o::a::1}}{{getglobalvarkey::o::a}} {{hasglobalvar::o}} {{deleteglobalvar::o}}{{$o}}",
    "{{setvar::n::007}}{{getvar::n}} {{incvar::n}} {{setvar::n::1.50}}{{getvar::n}} {{addvar::n::0.7}}{{getvar::n}}",
    "{{setvar::n::abc}}{{incvar::n}} {{decvar::n}} {{addvar::m::1}}{{addvar::m:: b}}{{getvar::m}}",
    "{{setvar::n::0.1}}{{addvar::n::0.2}}{{getvar::n}} {{setvar::n::1e21}}{{getvar::n}} {{setvar::n::1e-7}}{{.n}}",
    "{{setvar::n::0x10}}{{getvar::n}} {{setvar::n:: 5 }}{{getvar::n}}{{incvar::n}} {{setvar::n::+5}}{{getvar::n}}",
    "{{setvar::a::b::c}} {{setvar::a}} {{getvar}} {{getvar a}} {{setvar a::b}} {{incvar a b}}",
    "{{setvar::::x}}{{getvar::}}|",
    "{{creatorNotes}} {{version}} {{char_version}} {{charVersion}}",
    "{{maxContext}} {{maxContextTokens}} {{maxPrompt}} {{isMobile}} {{hasExtension::x}}",
    "{{outlet::known}} {{outlet::none}}|{{outlet}}",
    "{{lastSwipeId}}|{{currentSwipeId}}|{{firstIncludedMessageId}}|{{allChatRange}}",
    "{{roll:abc}}|{{roll:2d6kh1}}|{{roll:1d1}}|{{roll 3d1+2}}|{{roll::d1-1}}|{{roll:1}}|{{roll:0}}",
    "{{roll: 2d1 }}|{{roll}}",
    "{{roll::1d1 + 1}}|{{roll::0d6}}|{{roll::d}}|{{roll::}}",
    "{{random::a}} {{random:a}} {{random a}} {{random: a }} {{random}}|{{random::}}|{{pick:only}} {{random:a\\,b}}",
    "{{random:a::a}} {{random::a::a}} {{pick::b::b}} {{pick:b,b}} {{random:{{setvar::l::c,c}}{{getvar::l}}}}",
    "{{unknown}} {{unknown::{{char}}}} {{unknown {{user}} x}} {{un-known_2}}",
    "{{}} {{ }} {{5}} {{ 5 }} {{user}}",
    "{{user's}} {{user.}} {{user!}} x",
    "{{{char}}} {{{{char}}}} {char} {{char} {{char",
    "{{reverse::{{5}}}} {{user}}",
    "{{reverse::{{{char}}}}} {{user}}",
    "{{user {{char}} }} {{ user }} {{USER}} {{ChAr}}",
    "{{user::x}} {{user:x}} {{user x}} {{user:}} {{user::}}",
    "{{reverse::a::b}} {{reverse}} {{reverse::}}|{{reverse: }}|{{reverse::  a  b  }}|",
    "{{newline}}|{{newline::2}}|{{space::3}}|{{space::x}}|{{space:2}}|{{space 2}}|{{space::-1}}|{{space::0}}|",
    "{{time}} {{time::UTC+2}} {{time_UTC-5}} {{time::utc}} {{date}} {{weekday}} {{isotime}} {{isodate}}",
    "{{datetimeformat::YYYY-MM-DD HH:mm:ss}} {{datetimeformat dddd, Do [of] MMM}} {{datetimeformat::}}",
    "{{datetimeformat::Q w ww W e E d dd DDD DDDo k kk S SSS X x Z ZZ L l LTS LLL LLLL lll llll gg GGGG Hmm hmmss}}",
    "{{timeDiff::2024-01-01::2024-01-05}} {{timeDiff::2024-01-05::2024-01-01}} {{timeDiff::x::y}}",
    "{{ timeDiff :: 2023-01-01 12:00:00 :: 2023-01-01 15:00:00 }} {{timeDiff::2023-01-01::2023-01-01}}",
    "<USER> <user> <BOT> <CHAR> <Group> <CHARIFNOTGROUP> <other>",
    "{{reverse::<USER>}} {{if <USER>}}x{{/if}}",
    "{{if}}open{{/if}} {{if a}} {{else}} {{/else}} {{/if}}",
    "{{if a}}1{{if 0}}2{{else}}3{{/if}}4{{else}}5{{/if}}",
    "{{if 0}}1{{if 0}}2{{else}}3{{/if}}4{{else}}5{{/if}}",
    "{{if !x}}1{{/if}}{{if ! 0}}2{{/if}}{{if !!0}}3{{/if}}{{if no}}4{{/if}}{{if false}}5{{/if}}{{if OFF}}6{{/if}}",
    "{{if personality}}a{{else}}b{{/if}}{{if !persona}}c{{else}}d{{/if}}{{if noop}}e{{else}}f{{/if}}",
    "{{if {{getvar::x}}}}a{{else}}b{{/if}}{{if {{lastMessage}}}}c{{/if}}",
    "{{if 1}}{{setvar::x::a}}{{else}}{{setvar::x::b}}{{/if}}{{getvar::x}}",
    "{{if 1}}open",
    "{{if 1}}{{if 1}}x{{/if}}",
    "x{{/if}}y{{/user}}z{{/unknown}}",
    "a{{else}}b",
    "{{if a}}1{{setvar::x}}2{{/if}}3{{/setvar}}",
    "{{setvar::x}}{{if 1}}a{{else}}b{{/if}}{{/setvar}}{{getvar::x}}",
    "{{setvar::x}}{{setvar::y}}in{{/setvar}}out{{getvar::y}}{{/setvar}}{{getvar::x}}",
    "{{original}} {{original}}",
    "{{banned::x}}{{banned \"ugly\"}}{{banned}}|{{hidden_key:k}}|",
    "{{!user}} {{?user}} {{~user}} {{>user}} {{#user}} {{ # user }} {{!.x}}",
    "{{setvar::x::a|b}}{{getvar::x}} {{user|x}} {{reverse::a|b}}",
    "{{setvar::x::a=b\"c:d}}{{getvar::x}}",
    "{{setvar::x::line\nbreak}}{{getvar::x}} {{setvar\n::\nx\n::\ny\n}}{{getvar::x}}",
    "{{.x = a::b}}{{.x}} {{.x = }}{{.x}}|{{.x y}} {{.}} {{.5}} {{$}}",
    "{{.a-b = 3}}{{.a-b}} {{.a-b--}} {{.a--}} {{.x==}}",
    "{{setvar::a::1}}{{setvar::b::{{getvar::a}}{{getvar::a}}}}{{getvar::b}}",
    "{{setvar::k::n}}{{setvar::{{getvar::k}}::v}}{{getvar::n}}",
    "{{greeting::0}} {{greeting::1}} {{greeting::9}}|{{greeting::-1}}|{{greeting::x}}|{{charFirstMessage:1}}",
    "{{instructInput}}{{instructStop}}{{chatStart}}|{{systemPrompt}}",
    "{{if {{if 1}}a{{/if}}}}yes{{/if}}",
    "{{reverse::{{if 1}}ab{{else}}cd{{/if}}}}",
    "a }} b {{ c }} d",
    "{{x {{y {{user}}",
    "",
    "plain { text } with <b>marks</b> & more",
)  # fmt: skip


def generated(count: int, seed: int = 0) -> list[str]:
    """Write texts of nested macros, blocks and text, always the same ones."""
    rng = random.Random(seed)
    return ["".join(_part(rng, 3) for _ in range(rng.randint(1, 4))) for _ in range(count)]


def _part(rng: random.Random, depth: int) -> str:
    kinds = [_word, _word, _name, _variable, _shorthand]
    if depth:
        kinds += [_if, _if, _block, _call, _call, _inline]
    return rng.choice(kinds)(rng, depth - 1)


def _word(rng: random.Random, depth: int) -> str:
    return rng.choice(["a", " b ", "\n", "\n  c", "x, y", "0", "5", "true", "<USER>", "\\{d\\}", "{e}", ":", " "])


def _name(rng: random.Random, depth: int) -> str:
    pad = rng.choice(["", "", " "])
    return f"{{{{{pad}{rng.choice(NAMES)}{pad}}}}}"


def _variable(rng: random.Random, depth: int) -> str:
    name = rng.choice("xyz")
    return rng.choice([
        f"{{{{getvar::{name}}}}}", f"{{{{setvar::{name}::{rng.choice(['1', 'text', '0', '', '2.5'])}}}}}",
        f"{{{{incvar::{name}}}}}", f"{{{{decvar::{name}}}}}", f"{{{{addvar::{name}::{rng.choice(['3', 'w', '-1'])}}}}}",
        f"{{{{hasvar::{name}}}}}", f"{{{{deletevar::{name}}}}}", f"{{{{setvarkey::{name}::k::v}}}}",
        f"{{{{getvarkey::{name}::k}}}}", f"{{{{getglobalvar::{name}}}}}", f"{{{{setglobalvar::{name}::g}}}}",
    ])  # fmt: skip


def _shorthand(rng: random.Random, depth: int) -> str:
    operator = rng.choice(["", "++", "--", " = 4", " = w", " += 2", " -= 1", " ?? d", " || d", " ??= d", " ||= d",
                           " == 4", " != 4", " > 1", " >= 4", " < 9", " <= w"])  # fmt: skip
    return f"{{{{{rng.choice('.$')}{rng.choice('xyz')}{operator}}}}}"


def _if(rng: random.Random, depth: int) -> str:
    condition = rng.choice([".x", "$y", "description", "personality", "1", "0", "word", "user", _part(rng, 0)])
    flag, turned = rng.choice(["", "", "#"]), rng.choice(["", "", "!"])
    other = f"{{{{else}}}}{_part(rng, depth)}{_part(rng, depth)}" if rng.random() < 0.5 else ""
    return f"{{{{{flag}if {turned}{condition}}}}}{_part(rng, depth)}{_part(rng, depth)}{other}{{{{/if}}}}"


def _inline(rng: random.Random, depth: int) -> str:
    return f"{{{{if::{rng.choice(['.x', '1', '0', 'user'])}::{_part(rng, depth)}}}}}"


def _block(rng: random.Random, depth: int) -> str:
    name, argument = rng.choice([("setvar", "::x"), ("setvar", "::y"), ("reverse", ""), ("trim", ""), ("addvar", "::z"),
                                 ("//", ""), ("setglobalvar", "::x")])  # fmt: skip
    flag = rng.choice(["", "", "#"]) if name != "//" else ""
    end = "{{///}}" if name == "//" else f"{{{{/{name}}}}}"
    return f"{{{{{flag}{name}{argument}}}}}{_part(rng, depth)}\n  {_part(rng, depth)}{end}"


def _call(rng: random.Random, depth: int) -> str:
    inner = _part(rng, depth)
    return rng.choice([
        f"{{{{reverse::{inner}}}}}", f"{{{{reverse:{inner}}}}}", f"{{{{setvar::x::{inner}}}}}", f"{{{{.y = {inner}}}}}",
        f"{{{{random::k::k}}}}{inner}", f"{{{{pick::q::q}}}}{inner}", f"{{{{roll::1d1}}}}{inner}",
        f"{{{{strange::{inner}}}}}",
        f"{{{{// {inner}}}}}", f"{{{{newline::2}}}}{inner}",
    ])  # fmt: skip


def scrambled(count: int, seed: int = 0) -> list[str]:
    """Write texts whose braces need not fit, always the same ones."""
    rng = random.Random(seed)
    parts = (
        *("{{", "}}", "{{user}}", "{{", "}}", "{", "}", "::", ":", " ", "\n", "a", "user", "if ", "setvar::x::", ".x"),
        *("{{if 1}}", "{{/if}}", "{{else}}", "{{setvar::x}}", "{{/setvar}}", "{{reverse::", "{{.x = ", "/", "!", "#"),
        *("$y", "++", "=", "//", "{{//", "trim", "é", "'s", "|", "-", "5"),
    )  # fmt: skip
    return ["".join(rng.choice(parts) for _ in range(rng.randint(2, 9))) for _ in range(count)]


# --- all of the macro table, and forms that people write less often

VARIABLES = ("x", "y", "my var", "Ünï", "a.b", "0", "gold_1", "z-1")
VARIABLE_FORMS = (
    *("get{g}var{s}{n}", "set{g}var{s}{n}{s}{v}", "add{g}var{s}{n}{s}{v}", "inc{g}var{s}{n}", "dec{g}var{s}{n}"),
    *("has{g}var{s}{n}", "{g}varexists{s}{n}", "flush{g}var{s}{n}", "set{g}varkey{s}{n}{s}k{s}{v}"),
    *("get{g}varkey{s}{n}{s}k", "set{g}varindex{s}{n}{s}1{s}{v}", "get{g}varindex{s}{n}{s}1"),
)
VALUES = ("1", "-2", "0.5", "text", "two words", " padded ", "", "a=b", "{}", "[]", "9e3", "\u0661")
OPERATORS = ("=", "+=", "-=", "??", "||", "??=", "||=", "==", "!=", ">", ">=", "<", "<=")
FIXED = (
    *("<USER>", "<BOT>", "<CHAR>", "<user>", "<GROUP>", "<CHARIFNOTGROUP>", "<User> a", "x<bot>y", " <CHAR>'s"),
    *("{{time_UTC+2}}", "{{time_UTC-11}}", "{{time::UTC+5}}", "{{time_UTC+14}}", "{{time::UTC+5.5}}", "{{isotime}}"),
    *("{{datetimeformat::YYYY [y] MM}}", "{{datetimeformat HH:mm}}", "{{timeDiff::2024-02-29::2023-03-01}}"),
    *("{{timeDiff::2024-01-01 10:00::2024-01-01 10:20}}", "{{charScenario}}", "{{charCreatorNotes}}", "{{banned}}"),
    *("{{mesExamplesRaw}}", "{{charDescription}}", "{{charPersonality}}", "{{char_version}}", "{{groupNotMuted}}"),
)
BLOCKS = ("setvar::x", "addvar::y", "reverse", "trim", "setglobalvar::g", "setvarkey::o::k")
CONDITIONS = (".x", "$g", "!.x", "user", "!persona", "{{.x > 1}}", "!{{hasvar::x}}", " x ", "0", "off", "1 ")
ONE_ARGUMENT = ("greeting", "charFirstMessage", "space", "newline", "reverse", "strange", "banned", "hasExtension")


def wide(count: int, seed: int = 0) -> list[str]:
    """Write texts of all kinds of macros in each other, always the same ones."""
    rng = random.Random(seed)
    return ["".join(_piece(rng, 2) for _ in range(rng.randint(1, 3))) for _ in range(count)]


def _piece(rng: random.Random, depth: int) -> str:
    kinds = (_fixed, _fixed, _name, _any_variable, _any_operator, _flagged, _any_block, _any_if, _drawn, _with_one)
    return rng.choice((*kinds, lambda rng, _: _part(rng, 1)))(rng, depth - 1)


def _fixed(rng: random.Random, depth: int) -> str:
    return rng.choice(FIXED)


def _value(rng: random.Random, depth: int) -> str:
    return _piece(rng, depth) if depth > 0 and rng.random() < 0.4 else rng.choice(VALUES)


def _any_variable(rng: random.Random, depth: int) -> str:
    form = rng.choice(VARIABLE_FORMS)
    separator, kind = rng.choice(("::", "::", " :: ", ":: ")), rng.choice(("", "global"))
    return f"{{{{{form.format(g=kind, s=separator, n=rng.choice(VARIABLES), v=_value(rng, depth))}}}}}"


def _any_operator(rng: random.Random, depth: int) -> str:
    pad, operator = rng.choice(("", " ")), rng.choice(("++", "--", *OPERATORS))
    value = "" if operator in ("++", "--") else pad + _value(rng, depth)
    return f"{{{{{rng.choice('.$')}{rng.choice(('x', 'y', 'my_var', 'x-1'))}{pad}{operator}{value}}}}}"


def _flagged(rng: random.Random, depth: int) -> str:
    flags, pad = rng.choice(("!", "?", "~", ">", "#", "!!", "#!", " # ")), rng.choice(("", " "))
    return f"{{{{{flags}{pad}{rng.choice(('user', 'char', 'setvar::x::1', 'x', 'reverse::ab', '// c', '.x'))}}}}}"


def _any_block(rng: random.Random, depth: int) -> str:
    head = rng.choice(BLOCKS)
    body = "".join(_piece(rng, depth) for _ in range(rng.randint(0, 2))) if depth > 0 else "b"
    opening, blank = f"{rng.choice(('', '#'))}{head}", rng.choice(("", "\n", "  "))
    return f"{{{{{opening}}}}}{blank}{body}{{{{/{head.split(':')[0]}}}}}"


def _any_if(rng: random.Random, depth: int) -> str:
    body = _piece(rng, depth) if depth > 0 else "t"
    other = f"{{{{else}}}}{_piece(rng, depth) if depth > 0 else 'e'}" if rng.random() < 0.5 else ""
    head = rng.choice(("if ", "#if ", "if::", "if:")) + rng.choice(CONDITIONS)
    return f"{{{{{head}}}}}{body}{other}{{{{/if}}}}"


def _drawn(rng: random.Random, depth: int) -> str:
    value, separator = rng.choice(("k", "a b", " k ", "{{user}}", "{{getvar::x}}")), rng.choice(("::", ",", ":: "))
    first = rng.choice((":", " ", "::")) if separator == "," else "::"
    return f"{{{{{rng.choice(('random', 'pick'))}{first}{value}{separator}{value}}}}}"


def _with_one(rng: random.Random, depth: int) -> str:
    value = rng.choice(("0", "1", "2", "x", "", "{{user}}", "-1", " 1 ", "{{.x}}"))
    return f"{{{{{rng.choice(ONE_ARGUMENT)}::{value}}}}}"
