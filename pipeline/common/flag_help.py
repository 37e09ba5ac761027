"""The flags of a binary as lines of `--help`: in the order of their definition, by section, each with its default.

absl's help is alphabetical, without sections, and breaks lines of choices within words.
"""

import inspect
import sys
import textwrap
from collections.abc import Sequence

from absl import flags

WIDTH = 100


def describe(module: str, values: flags.FlagValues) -> list[str]:
    """The lines of `--help` on the flags of a binary's module (`__main__`): its own, then each configuration's."""
    sections: dict[str, list[flags.Flag]] = {"Flags": []}
    main = sys.argv[0] if module == "__main__" else module  # absl's name of the program
    for source, defined in values.flags_by_module_dict().items():
        title = "Flags"
        if source not in (main, module):
            title = inspect.cleandoc(sys.modules[source].__doc__ or source).splitlines()[0].partition(":")[0]
        sections.setdefault(title, []).extend(defined)
    lines: list[str] = []
    for title, section in sections.items():
        if section:
            lines += [*([""] if lines else []), f"{title}:", *(line for flag in section for line in _entry(flag))]
    return lines


def _entry(flag: flags.Flag) -> list[str]:
    default = (flag.default_as_str or "").strip("'")
    usage = f"  --[no]{flag.name}  (default {default})" if flag.boolean else f"  --{flag.name}={default}"
    text = flag.help or ""
    if isinstance(flag, flags.EnumFlag):  # absl puts its choices in front
        text = f"{text.partition('>: ')[2]} ({one_of(flag.parser.enum_values)})"
    lines = textwrap.wrap(text, WIDTH - 6, break_long_words=False, break_on_hyphens=False)
    return [usage, *(f"      {line}" for line in lines)]


def one_of(choices: Sequence[str]) -> str:
    """The choices of a flag, as its help lists them."""
    return f"one of {', '.join(choices)}"
