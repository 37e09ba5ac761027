"""On PYTHONPATH: this machine's processor does not multiply bfloat16, so precision `auto` is float32 (no GPU given).

For the study alone: tuning.study has no --precision, and a study refuses to go on in another one. The children of
tuning.study read this too, which a monkeypatch in the parent is not.
"""

import builtins
import io
import os

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
_open = builtins.open


def _without_bfloat16(file, mode="r", *arguments, **named):
    opened = _open(file, mode, *arguments, **named)
    if str(file) != "/proc/cpuinfo" or "b" in mode:
        return opened
    with opened:
        return io.StringIO(opened.read().replace(" amx_bf16", "").replace(" avx512_bf16", ""))


builtins.open = io.open = _without_bfloat16
