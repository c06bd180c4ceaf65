"""The commands `decode` and `convert`: published weights to a playable model, with progress bars and a summary.

Parses, calls and prints; the work is done by the package `convert`, which is loaded inside the commands.
"""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advrepl import paths, program
from advrepl.cli.flags import say

if TYPE_CHECKING:
    from convert.decode.verify import Checked
    from convert.run import ConvertPlan, ConvertResult
    from convert.sums import Sums


# decode


def decode(
    xor: Annotated[Path, typer.Argument(metavar="XOR", help="The release: a folder of XOR files.")],
    base: Annotated[Path, typer.Argument(metavar="BASE", help="The base model's Hugging Face folder (LLaMA).")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where the usable folder goes.")],
    md5: Annotated[Path | None, typer.Option(help="A list of MD5 sums to check against (md5sum, rhash).")] = None,
    sha256: Annotated[Path | None, typer.Option(help="A list of SHA-256 sums to check against.")] = None,
    rebuild: Annotated[
        int,
        typer.Option(
            "--rebuild",
            count=True,
            help="Replace JSON files that come out unreadable by their known text; twice: also those that are JSON.",
        ),
    ] = 0,
) -> None:
    """Turn an XOR release and its base weights into a Hugging Face folder, and verify it."""
    from advrepl.cli.console import bars
    from convert.decode.plan import plan_jobs
    from convert.decode.run import run_jobs

    given = _given(md5, sha256)
    jobs = plan_jobs(xor, base, out)
    with bars() as step:
        checked = run_jobs(jobs, given, step("decoding"))
    checked = [_offer(file, out, rebuild) for file in checked]
    _show_checked(checked, out)
    if any(file.verdict == "wrong" for file in checked):
        raise typer.Exit(1)


def _given(md5: Path | None, sha256: Path | None) -> "dict[str, Sums]":
    from convert.decode.sum_lists import read_list
    from convert.sums import Sums

    first = read_list(md5, "md5") if md5 else {}
    second = read_list(sha256, "sha256") if sha256 else {}
    return {name: first.get(name, Sums()).filled_from(second.get(name, Sums())) for name in {*first, *second}}


def _offer(file: "Checked", out: Path, asked: int) -> "Checked":
    """Put a JSON file's known text in its place, if asked for or agreed to: twice, where what came out is JSON.

    `asked`: how often the command line asks for it.
    """
    from advrepl.terminal.text import visible
    from convert.decode.run import accept_rebuilt, original_name

    if file.rebuilt is None:
        return file
    proof = "the published sum" if file.rebuilt.proved else "no published sum to compare with"
    say(f"{file.name} came out wrong, its text is known: SHA-256 {file.rebuilt.sums.sha256} ({proof})")
    questions = [("Use it?", True)]
    if file.rebuilt.over_json:
        say(f"But {file.name} reads as JSON as it is: if this is another model, it is right and must stay.")
        questions.append((f"Replace {file.name}, which reads as JSON?", False))
    left = questions[asked:]
    if left and not sys.stdin.isatty():
        say(f"Run again with {' '.join(['--rebuild'] * len(questions))} to use it.")
        return file
    if not all(typer.confirm(visible(question), default=default) for question, default in left):
        return file
    say(f"What came out is kept as {original_name(out / file.name).name}.")
    return accept_rebuilt(file, out, file.rebuilt)


def _show_checked(checked: "list[Checked]", out: Path) -> None:
    from advrepl.cli.tables import listing, screen_width
    from advrepl.terminal.text import one_line

    rows = []
    for file in checked:
        sums = file.sums.md5 if file.wanted.md5 and not file.wanted.sha256 else file.sums.sha256
        again = ", was there" if file.skipped else ""
        rows.append((file.name, file.verdict + again, sums or ""))
    for line in listing(("file", "result", "sum"), rows, screen_width()):
        say(line)
    for file in checked:
        for cause in file.causes:
            say(one_line(f"{file.name}: {cause}"))
    if all(file.verdict == "right" for file in checked):
        say(f"All {len(checked)} files are right. Next: {program.command('convert', str(out))}")
    elif not any(file.verdict == "wrong" for file in checked):
        say(f"No sums are known for the files called unknown. Next: {program.command('convert', str(out))}")


# convert


def convert(
    folder: Annotated[
        Path, typer.Argument(metavar="HF_DIR", help="A Hugging Face model folder, or a .safetensors or .gguf.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="OUT.gguf", help="Default: in the models folder, by name and type."),
    ] = None,
    kind: Annotated[
        str, typer.Option("-q", "--type", metavar="TYPE", help="F32, F16, BF16, Q8_0, any K- or IQ-type of llama.cpp.")
    ] = "Q4_K_M",
    imatrix: Annotated[
        str | None, typer.Option(metavar="FILE|auto", help="An importance matrix; auto makes one by running the model.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The text for --imatrix auto; default: a built-in one.")
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="metharme|pygmalion|chat", help="The prompt format; default: by name and README."
        ),
    ] = None,
) -> None:
    """Convert a Hugging Face folder to a quantized GGUF file, which can be played."""
    from advrepl.cli.console import bars
    from advrepl.engines.hf.folder import prompt_format
    from advrepl.engines.llama import trial
    from advrepl.prompt.formats import TEMPLATES, check_name
    from convert import run, single
    from convert.vocab.folder import chat_template

    kind, weights, name = kind.upper(), None, folder.resolve().name
    if folder.is_file():
        if single.is_gguf(folder):
            return _requantize(folder, out, kind, imatrix, calibration, prompt)
        folder, weights = folder.parent, folder
        name = folder.resolve().name if weights.name.startswith(("model", "pytorch_model")) else weights.stem
    out = out or paths.models_folder() / f"{name}-{kind}.gguf"
    format = check_name(prompt) if prompt is not None else prompt_format(folder, chat_template(folder))
    template = TEMPLATES.get(format or "")
    plan = run.prepare(run.Request(folder, out, kind, imatrix, calibration, format, template, weights))
    _show_plan(plan)
    with bars() as step:
        result = run.convert(plan, step)
    trial.trust(result.out)
    _show_result(result)


def _requantize(
    source: Path, out: Path | None, kind: str, imatrix: str | None, calibration: Path | None, prompt: str | None
) -> None:
    from advrepl.cli.console import bars
    from advrepl.engines.llama.playable import check_playable
    from convert import ConvertError, requantize, run
    from convert.quantize.types import FTYPES

    if prompt is not None:
        raise ConvertError("--format is for Hugging Face folders: what a GGUF file notes stays in it")
    check_playable(source)
    stem = re.sub(rf"[-.]({'|'.join(FTYPES)})$", "", source.stem, flags=re.IGNORECASE)
    out = out or paths.models_folder() / f"{stem}-{kind}.gguf"
    with bars() as step:
        result = requantize.requantize(run.Request(source, out, kind, imatrix, calibration), step)
    _show_result(result)


def _show_plan(plan: "ConvertPlan") -> None:
    from convert.run import format_bytes
    from convert.vocab.check import MARKS_APART
    from convert.vocab.table import LEFT_OUT

    temporary = (
        f", and {format_bytes(plan.first_bytes)} for a temporary {plan.first_type} file"
        if plan.disk_bytes > plan.result_bytes
        else ""
    )
    say(
        f"{plan.fields['general.name']}: {plan.model.arch}, {plan.weights / 1e9:.2f} billion weights. "
        f"Needs about {format_bytes(plan.result_bytes)} in {plan.request.out.parent}{temporary}.",
        err=True,
    )
    if left := plan.fields.get(LEFT_OUT):
        say(f"The embedding has no rows for {', '.join(left)}: left out.", err=True)  # type: ignore[arg-type]
    if plan.fields["tokenizer.ggml.pre"] == MARKS_APART:
        say("llama.cpp reads letters with combining marks, as in Hindi, as other tokens than its tokenizer.", err=True)


def _show_result(result: "ConvertResult") -> None:
    from advrepl.cli.tables import screen_width
    from advrepl.terminal.layout import lay_out
    from advrepl.terminal.text import one_line, visible
    from convert.run import format_bytes

    kinds = sorted(result.types.items(), key=lambda item: -item[1])
    sizes = format_bytes(result.source_bytes), format_bytes(result.bytes)
    rows: dict[str, Any] = {
        "file": result.out,
        "size": f"{sizes[0]} → {sizes[1]}, {result.bits:.2f} bits per weight",
        "tensors": ", ".join(f"{count} {kind}" for kind, count in kinds),
        "prompt format": result.format or "not known; give --format when playing",
        "time": ", ".join(f"{step} {seconds:.1f} s" for step, seconds in result.seconds.items()),
    }
    if result.fallbacks:
        rows["note"] = (
            f"{result.fallbacks} tensors took a larger type: their rows do not fit the blocks of the one asked for"
        )
    print(visible(lay_out(((name, one_line(str(text))) for name, text in rows.items()), screen_width())))
    say(f"Play it: {program.command('play', '-m', str(result.out))}")
