"""Which architectures can be converted, and whether a checkpoint is what its config.json says."""

from collections.abc import Callable, Collection, Mapping

from convert import ConvertError
from convert.archs.gptj import gptj
from convert.archs.gptneox import gptneox
from convert.archs.llama import llama
from convert.archs.rules import Model
from convert.config import Config
from convert.tensor import TensorRef

ARCHS: Mapping[str, Callable[[Config, Collection[str]], Model]] = {
    "LlamaForCausalLM": llama,
    "LLaMAForCausalLM": llama,  # as the first conversions of 2023 wrote it
    "MistralForCausalLM": llama,  # the same tensors
    "GPTJForCausalLM": gptj,
    "GPTNeoXForCausalLM": gptneox,
}

NAMES = "GPT-J, GPT-NeoX, LLaMA, Mistral"  # of the above, as people call them
MODEL_TYPES = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "gptj": "GPTJForCausalLM",
    "gpt_neox": "GPTNeoXForCausalLM",
}

# What the family has and llama.cpp has not.
_NEO = "GPT-Neo has no counterpart in llama.cpp (its local attention)"
_OPT = "OPT has no counterpart in llama.cpp (its learned positions)"
FOLDER_ONLY = {"GPTNeoForCausalLM": _NEO, "gpt_neo": _NEO, "OPTForCausalLM": _OPT, "opt": _OPT}

# Masks and tables that old checkpoints saved along with the weights; the engine computes its own.
BUFFERS = (".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq")

FLOATS = ("F32", "F16", "BF16", "F64")


def architecture(config: Config) -> str:
    """Name the architecture, a key of ARCHS, or refuse it with a ConvertError, before any weight is opened."""
    named = config.values.get("architectures")
    name = str(named[0]) if isinstance(named, list) and named else MODEL_TYPES.get(_model_type(config))
    if name is not None and name in ARCHS:
        return name
    if reason := FOLDER_ONLY.get(name or "", FOLDER_ONLY.get(_model_type(config))):
        raise ConvertError(f"{reason}; play it from its folder instead: advrepl play -m HF_DIR")
    shown = name or _model_type(config) or "no architecture"
    raise ConvertError(f"{config.file}: {shown} cannot be converted; these can: {NAMES}")


def _model_type(config: Config) -> str:
    return str(config.values.get("model_type") or "")


def model_rules(config: Config, tensors: Mapping[str, TensorRef]) -> Model:
    """Build the rules for a checkpoint; raises ConvertError where it cannot be converted or is not what it says."""
    model = ARCHS[architecture(config)](config, tensors)
    check_tensors(model, tensors)
    return model


def check_tensors(model: Model, tensors: Mapping[str, TensorRef]) -> None:
    """Refuse a checkpoint whose tensors are not those of the rules; one ConvertError names every offender."""
    sources = {rule.source: rule for rule in model.rules if rule.source is not None}
    missing = [name for name in sources if name not in tensors]
    left = [name for name in tensors if name not in sources and name not in model.unused and not name.endswith(BUFFERS)]
    wrong = [
        f"{name} is {_spell(tensors[name].shape)}, config.json says {_spell(rule.shape)}"
        for name, rule in sources.items()
        if name in tensors and tensors[name].shape != rule.shape
    ]
    # GPTQ and 8-bit checkpoints keep integers here, which are no weights by themselves.
    quantized = [
        f"{name} ({tensors[name].dtype})" for name in sources if name in tensors and tensors[name].dtype not in FLOATS
    ]
    problems = {"missing": missing, "not expected": left, "of another shape": wrong, "not floating point": quantized}
    if told := [f"{title}: {', '.join(found)}" for title, found in problems.items() if found]:
        raise ConvertError("the weights do not fit config.json; tensors " + "; ".join(told))


def _spell(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"
