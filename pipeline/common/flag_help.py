"""What `--help` says of flags: in the order of their definition, by what they are of, each with its default.

absl's own list is in the alphabet's order, without headings, and breaks long lines of choices within their words.
"""

import inspect
import sys
import textwrap
from collections.abc import Sequence

from absl import flags

WIDTH = 100
INDENT = " " * 6


def describe(module: str) -> list[str]:
    """The lines on a binary's flags, none where it has none: its own first, then those of configurations.

    Args:
      module: the binary's module, `__main__` where it is the program.
    """
    own: list[flags.Flag] = []
    sections: dict[str, list[flags.Flag]] = {}
    main = sys.argv[0] if module == "__main__" else module  # absl's name of the program that is running
    for flag in flags.FLAGS.get_key_flags_for_module(main):
        where = flags.FLAGS.find_module_defining_flag(flag.name)
        (own if where in (main, module) else sections.setdefault(where, [])).append(flag)
    lines = ["Flags:", *_entries(own)] if own else []
    for where, found in sections.items():
        title = inspect.cleandoc(sys.modules[where].__doc__ or where).splitlines()[0].partition(":")[0]
        lines += ["", f"{title}:", *_entries(found)] if lines else [f"{title}:", *_entries(found)]
    return lines


def _entries(found: Sequence[flags.Flag]) -> list[str]:
    return [line for flag in found for line in _entry(flag)]


def _entry(flag: flags.Flag) -> list[str]:
    default = (flag.default_as_str or "").strip("'")
    named = f"  --[no]{flag.name}  (default {default})" if flag.boolean else f"  --{flag.name}={default}"
    told = flag.help or ""
    if isinstance(flag, flags.EnumFlag):  # absl puts its choices in front
        told = f"{told.partition('>: ')[2]} ({one_of(flag.parser.enum_values)})"
    wrapped = textwrap.wrap(told, WIDTH - len(INDENT), break_long_words=False, break_on_hyphens=False)
    return [named, *(INDENT + line for line in wrapped)]


def one_of(choices: Sequence[str]) -> str:
    """The words in which a flag's help gives its choices."""
    return f"one of {', '.join(choices)}"
