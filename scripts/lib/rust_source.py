"""Rust source with everything blanked that is not code, so that a word in a comment or a string breaks no rule."""

import re

# In this order: what begins first at a place wins.
_NOT_CODE = re.compile(
    r"""
      //[^\n]*
    | (?P<block>/\*)
    | b?r(?P<hashes>\#*)".*?"(?P=hashes)
    | b?"(?:\\.|[^"\\])*"
    | b?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[0-9a-fA-F_]+\}|.)|[^'\\\n])'
    """,
    re.X | re.S,
)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def _end_of_block_comment(text, start):
    """Rust's block comments nest."""
    depth, place = 0, start
    while place < len(text):
        if text.startswith("/*", place):
            depth, place = depth + 1, place + 2
        elif text.startswith("*/", place):
            depth, place = depth - 1, place + 2
            if depth == 0:
                return place
        else:
            place += 1
    return len(text)


def blanked(text):
    out, place = [], 0
    while match := _NOT_CODE.search(text, place):
        before = text[match.start() - 1 : match.start()]
        if match.group()[0] in "br" and (before.isalnum() or before == "_"):
            # The tail of an identifier, not the prefix of a literal.
            out.append(text[place : match.start() + 1])
            place = match.start() + 1
            continue
        end = _end_of_block_comment(text, match.start()) if match.group("block") else match.end()
        out.append(text[place : match.start()])
        out.append(_blank(text[match.start() : end]))
        place = end
    out.append(text[place:])
    return "".join(out)


def _closing(code, opening):
    depth = 0
    for place in range(opening, len(code)):
        if code[place] == "{":
            depth += 1
        elif code[place] == "}":
            depth -= 1
            if depth == 0:
                return place + 1
    return len(code)


def _without_test_items(code):
    """Blanks each item under `#[cfg(test)]`."""
    place = 0
    while match := re.compile(r"#\[cfg\(test\)\]").search(code, place):
        rest = re.compile(r"[{;]").search(code, match.end())
        if not rest:
            break
        end = _closing(code, rest.start()) if rest.group() == "{" else rest.end()
        code = code[: match.start()] + _blank(code[match.start() : end]) + code[end:]
        place = end
    return code


def _is_test_file(path):
    """A file `x.rs` that its parent declares as `#[cfg(test)] mod x;`."""
    for parent in (path.parent / "mod.rs", path.parent / "lib.rs", path.parent.with_suffix(".rs")):
        if parent.exists() and parent != path:
            if re.search(rf"#\[cfg\(test\)\]\s*(pub(\([^)]*\))?\s+)?mod\s+{re.escape(path.stem)}\s*;", blanked(parent.read_text())):
                return True
    return False


def code_of(path, without_tests=False):
    if without_tests and _is_test_file(path):
        return ""
    code = blanked(path.read_text())
    return _without_test_items(code) if without_tests else code


def line_of(code, place):
    return code.count("\n", 0, place) + 1
