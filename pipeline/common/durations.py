"""Durations in words."""


def in_words(seconds: float) -> str:
    """`40 s`, `12 min`, `2 h 5 min`."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
