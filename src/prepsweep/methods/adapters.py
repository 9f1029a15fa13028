"""Methods that add few parameters to a frozen model, by the peft library (Mangrulkar et al. 2022).

Those that change weights are merged into the model when it is saved, so that transformers loads it as a plain one; prefix and
prompt are not weights of the model, and their folder is one that peft loads.
"""

from __future__ import annotations

import warnings
from typing import Any

from prepsweep.errors import Refused
from prepsweep.methods.four_bits import merge_adapters, quantise
from prepsweep.methods.freezing import layers


def lora(model: Any, *, r: int, alpha: float, dropout: float) -> Any:
    """Low-rank updates of the attention's queries and values: Hu et al. 2022, LoRA (arXiv:2106.09685)."""
    return _adapted(model, "LoraConfig", r=r, lora_alpha=alpha, lora_dropout=dropout)


def dora(model: Any, *, r: int, alpha: float, dropout: float) -> Any:
    """LoRA on the direction of a weight, its size learned apart: Liu et al. 2024, DoRA (arXiv:2402.09353)."""
    return _adapted(model, "LoraConfig", r=r, lora_alpha=alpha, lora_dropout=dropout, use_dora=True)


def qlora(model: Any, *, r: int, alpha: float, dropout: float) -> Any:
    """LoRA on every linear map of the layers, whose own weights are kept in four bits: Dettmers et al. 2023 (arXiv:2305.14314).

    The weights take an eighth of the memory of float32 while the model is trained. More maps have updates than with `lora`, whose
    inputs are kept for the backward pass, and a step takes longer: it pays for models whose weights are most of what is kept.
    Saved is a plain model: the rounded weights with what was learned, which is what was tested.
    """
    stack = layers(model)
    if not (targets := quantise(model, stack)):
        what = f"the layers of a {model.config.model_type} model have no plain linear maps"
        raise Refused("method", what, "use method=lora")
    # peft asks this of models that transformers itself has quantised.
    model.is_loaded_in_4bit = True
    try:
        return _adapted(model, "LoraConfig", r=r, lora_alpha=alpha, lora_dropout=dropout, target_modules=targets)
    finally:
        del model.is_loaded_in_4bit


def adalora(model: Any, *, n_steps: int, initial_r: int, final_r: int, alpha: float, dropout: float) -> Any:
    """LoRA whose ranks go where they matter, over the steps of the run: Zhang et al. 2023, AdaLoRA (arXiv:2303.10512).

    The first tenth of the steps keeps all ranks, the last half those that are left.
    """
    schedule = {"total_step": n_steps, "tinit": n_steps // 10, "tfinal": n_steps // 2, "deltaT": max(1, n_steps // 100)}
    return _adapted(model, "AdaLoraConfig", init_r=initial_r, target_r=final_r, lora_alpha=alpha, lora_dropout=dropout, **schedule)


def ia3(model: Any) -> Any:
    """A factor for each key, value and inner activation: Liu et al. 2022, IA3 (arXiv:2205.05638)."""
    return _adapted(model, "IA3Config")


def prefix(model: Any, *, n_tokens: int) -> Any:
    """Learned keys and values before those of the text, in every layer: Li & Liang 2021 (arXiv:2101.00190)."""
    return _adapted(model, "PrefixTuningConfig", num_virtual_tokens=n_tokens)


def prompt(model: Any, *, n_tokens: int) -> Any:
    """Learned word embeddings before those of the text: Lester et al. 2021 (arXiv:2104.08691)."""
    return _adapted(model, "PromptTuningConfig", num_virtual_tokens=n_tokens)


def after_step(model: Any, step: int) -> None:
    """What a method does when an optimizer step is done, its gradients still there: AdaLoRA gives up ranks."""
    inner: Any = getattr(model, "base_model", None)
    if hasattr(inner, "update_and_allocate"):
        inner.update_and_allocate(step)


def merged(model: Any) -> Any:
    """The model with what a method added put into its weights, where it can be."""
    merge_adapters(model)
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model


def _adapted(model: Any, kind: str, **options: Any) -> Any:
    try:
        import peft
    except ImportError:
        raise Refused("method", "needs the package peft", "pip install 'prepsweep[peft]'") from None
    if model.config.model_type not in peft.utils.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING:
        what = f"peft does not know where a {model.config.model_type} model takes adapters"
        raise Refused("method", what, "use method=full, method=last_layers or method=bitfit")
    with warnings.catch_warnings():
        # peft asks transformers by an old name whether activations are recomputed.
        warnings.simplefilter("ignore", FutureWarning)
        # It finds out by itself that GPT-2 keeps its weights the other way round.
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to False")
        return peft.get_peft_model(model, getattr(peft, kind)(task_type=_task_type(model), **options))


def _task_type(model: Any) -> str:
    """What peft calls the head, which it must leave trainable."""
    name = type(model).__name__
    if name.endswith(("ForCausalLM", "LMHeadModel")):
        return "CAUSAL_LM"
    return "TOKEN_CLS" if name.endswith("ForTokenClassification") else "SEQ_CLS"
