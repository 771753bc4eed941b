"""Whether a settings file says anything."""


def says_nothing(text: str) -> bool:
    """Return whether a YAML text is empty or has only comments."""
    lines = (line.partition("#")[0].strip() for line in text.lstrip("\ufeff").splitlines())
    return not any(line not in ("", "---", "...") for line in lines)
