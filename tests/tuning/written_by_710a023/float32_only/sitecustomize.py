"""On PYTHONPATH: this machine's processor does not multiply bfloat16, so precision `auto` is float32 (no GPU given).

For the study fixture alone: tuning.study has no --precision, and a study refuses to go on in another precision. It is
read by the children of tuning.study as well, which a monkeypatch in the parent is not.
"""

import os
import pathlib

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
_read_text = pathlib.Path.read_text


def _without_bfloat16(self, *arguments, **named):
    text = _read_text(self, *arguments, **named)
    if str(self) == "/proc/cpuinfo":
        for flag in ("amx_bf16", "avx512_bf16"):
            text = text.replace(f" {flag}", "")
    return text


pathlib.Path.read_text = _without_bfloat16
