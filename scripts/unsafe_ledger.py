#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The ledger of unsafe Rust: where it is, how much, and whether each use says why it is sound.

usage: scripts/unsafe_ledger.py [--markdown]

Prints a table of the files that hold `unsafe`, and fails when
  - driver, socket family or sniffer logic holds any (rtl8139_rs/, af_rpacket/, their crate roots),
  - one of those names a raw binding (`kernel::bindings`, `crate::bindings`, `bindings::raw`),
  - one of their files does not forbid unsafe code,
  - an unsafe block, impl or extern has no `// SAFETY:` comment right above it, or an unsafe
    function no `# Safety` section (of its own: a trait's function has the trait's contract, a
    callback that C calls has C's).
Code made by bindgen (bindings/generated.rs) is not part of the sources and does not count.
"""
import os
import re
import sys

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAYER = ("net", "ext", "bindings")
LEAVES = ("rtl8139_rs", "af_rpacket")
ROOTS = ("rtl8139_rs.rs", "af_rpacket.rs")

TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|b?r(?P<hash>\#*)".*?"(?P=hash)|b?c?"(?:\\.|[^"\\])*"|b?'(?:\\.[^']*|[^'\\])'""",
    re.S)
USE = re.compile(r"\bunsafe\b")
RAW = re.compile(r"\b(?:kernel|crate)\s*::\s*(?:\{[^}]*\b)?bindings\b|\bbindings\s*::|\buse\s+[^;]*\bbindings\b")


def blank(text):
    """The same text with comments and literals replaced by blanks of the same shape."""
    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group())
    return TOKEN.sub(spaces, text)


def sources(folder):
    for path, folders, names in os.walk(os.path.join(TREE, folder)):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".rs") and name != "generated.rs":
                yield os.path.relpath(os.path.join(path, name), TREE)


def kind_of(rest):
    """What stands after the word: a block, an impl, a trait, a function, an attribute."""
    rest = rest.lstrip()
    if rest.startswith("{"):
        return "block"
    word = re.match(r"(?:impl|trait|extern|fn)\b|\(", rest)
    if not word:
        return "block" if rest.startswith("{") else "other"
    if word.group() == "extern":
        # A function of the C ABI, a block of declarations, or a type: `unsafe extern "C" fn(`.
        after = re.match(r'extern\s*(?:"[^"]*")?\s*(fn\s*\(|fn\b|\{)?', rest)
        what = (after.group(1) or "").strip() if after else ""
        return "block" if what == "{" else "type" if what.endswith("(") else "fn"
    if word.group() == "fn":
        return "type" if re.match(r"fn\s*\(", rest) else "fn"
    return {"impl": "impl", "trait": "trait", "(": "attribute"}[word.group()]


def in_trait_impl(bare, at):
    """Whether position `at` lies in `impl Trait for Type { ... }`."""
    depth = 0
    while at > 0:
        at -= 1
        if bare[at] == "}":
            depth += 1
        elif bare[at] == "{":
            if depth:
                depth -= 1
                continue
            head = bare[max(bare.rfind(mark, 0, at) for mark in ";{}") + 1:at]
            return re.search(r"\bimpl\b.*\bfor\b", head, re.S) is not None
    return False


def comment_above(lines, at):
    """The comment and attribute lines directly above line `at`, and what is before the word on it."""
    text = []
    while at > 0:
        at -= 1
        line = lines[at].strip()
        if line.startswith(("//", "#[", "#!", ")]")) or (text and line.endswith(",") and "#[" in line):
            text.append(line)
        else:
            break
    return "\n".join(text)


def statement_start(lines, blanked, at):
    """The first line of the statement that line `at` continues: the SAFETY comment of
    `let x =\\n    unsafe {` stands above the `let`."""
    while at > 0:
        before = blanked[at - 1].rstrip()
        if not before.strip() or before.endswith((";", "{", "}", ",", "|", "=>")):
            break
        if lines[at - 1].strip().startswith(("//", "#[")):
            break
        at -= 1
    return at


def look_at(path):
    with open(os.path.join(TREE, path), encoding="utf-8") as file:
        text = file.read()
    bare = blank(text)
    # The ABI string is needed to tell extern functions; it is blanked to spaces, which kind_of skips.
    lines, blanked = text.splitlines(), bare.splitlines()
    count = {"block": 0, "fn": 0, "impl": 0, "trait": 0}
    covered, bad = 0, []
    for match in USE.finditer(bare):
        kind = kind_of(bare[match.end():match.end() + 200])
        line = bare.count("\n", 0, match.start())
        if kind not in count:
            continue
        count[kind] += 1
        above = comment_above(lines, line)
        if kind in ("fn", "trait"):
            # The contract of a trait's function is the trait's; that of a callback is C's.
            good = ("# Safety" in above or re.match(r"\s*extern\b", bare[match.end():])
                    or in_trait_impl(bare, match.start()))
        else:
            good = "SAFETY:" in above or "SAFETY:" in comment_above(
                lines, statement_start(lines, blanked, line))
        if good:
            covered += 1
        else:
            bad.append(f"{path}:{line + 1}: unsafe {kind} without its reason")
    return count, covered, bad, bare, text


def parent_forbids(path):
    """Whether the module that this file belongs to forbids unsafe code for its whole folder."""
    parent = os.path.join(TREE, os.path.dirname(path), "mod.rs")
    if path in ROOTS or path.endswith("/mod.rs") or not os.path.exists(parent):
        return False
    with open(parent, encoding="utf-8") as file:
        return "#![forbid(unsafe_code)]" in file.read()


def main():
    problems, rows = [], []
    for folder in LAYER:
        for path in sources(folder):
            count, covered, bad, _, _ = look_at(path)
            problems += bad
            if sum(count.values()):
                rows.append((path, count, covered))
    leaves = [p for folder in LEAVES for p in sources(folder)]
    leaves += [root for root in ROOTS if os.path.exists(os.path.join(TREE, root))]
    for path in leaves:
        _, _, _, bare, text = look_at(path)
        for match in USE.finditer(bare):
            problems.append(f"{path}:{bare.count(chr(10), 0, match.start()) + 1}: unsafe code in a leaf")
        for match in RAW.finditer(bare):
            problems.append(f"{path}:{bare.count(chr(10), 0, match.start()) + 1}: raw binding in a leaf")
        word = "deny" if path in ROOTS else "forbid"
        if f"#![{word}(unsafe_code)]" not in text and not parent_forbids(path):
            problems.append(f"{path}: does not {word} unsafe code")
    total = {"block": 0, "fn": 0, "impl": 0, "trait": 0}
    covered_total = 0
    markdown = "--markdown" in sys.argv
    row = ("| {:<32} | {:>6} | {:>4} | {:>5} | {:>6} | {:>7} |" if markdown
           else "{:<34} {:>6} {:>4} {:>5} {:>6} {:>7}").format
    print(row("file", "blocks", "fns", "impls", "traits", "reasons"))
    if markdown:
        print("|---|---|---|---|---|---|")
    for path, count, covered in rows:
        print(row(path, *count_columns(count), f"{covered}/{sum(count.values())}"))
        covered_total += covered
        for kind in total:
            total[kind] += count[kind]
    print(row("all of the layer", *count_columns(total), f"{covered_total}/{sum(total.values())}"))
    print(row(f"{len(leaves)} files of driver and family", 0, 0, 0, 0, "-")
          if not any("in a leaf" in p for p in problems) else "")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def count_columns(count):
    return count["block"], count["fn"], count["impl"], count["trait"]


if __name__ == "__main__":
    sys.exit(main())
