"""Arithmetic that is fast here: bfloat16 where the device has it and gains from it, else float32."""

from __future__ import annotations

import time
from statistics import median
from typing import Literal, cast

import torch

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
# A gain below this may be noise of the clock, and float32 needs no explanation.
_WORTHWHILE = 1.2


def resolve_precision(asked: str, accelerator: str) -> Precision:
    """Lightning's name for `asked`; "auto" looks at the device and, on a processor with bfloat16, measures."""
    if asked != "auto":
        return cast(Precision, asked)
    if accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available()):
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    return "bf16-mixed" if _processor_has_bf16() and bf16_speedup() > _WORTHWHILE else "32-true"


def _processor_has_bf16() -> bool:
    # Torch names these checks differently from release to release; without one, the answer is no.
    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, name, bool)() for name in checks)


def bf16_speedup() -> float:
    """Time in float32 over time in bfloat16 of the matrix product that fills an encoder's day, median of 7 in turn."""
    generator = torch.Generator().manual_seed(0)
    rows, weights = torch.randn(1024, 384, generator=generator), torch.randn(384, 1536, generator=generator)
    seconds: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    for _ in range(8):
        for dtype, times in seconds.items():
            left, right = rows.to(dtype), weights.to(dtype)
            started = time.perf_counter()
            torch.mm(left, right)
            times.append(time.perf_counter() - started)
    return median(seconds[torch.float32][1:]) / median(seconds[torch.bfloat16][1:])
