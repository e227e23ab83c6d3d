"""How much code there is: lines that are neither blank, comment nor docstring, and the share of comments.

python benchmarks/code_lines.py [FOLDER …]         # default: cupel nodes graphs
python benchmarks/code_lines.py --against REV       # beside another commit of this repository
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import tokenize
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("cupel", "nodes", "graphs")
_NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER,
}  # fmt: skip


def count(source: str) -> Counter[str]:
    """Lines of code, of comments and of docstrings in one file; a line that has code is a line of code."""
    described: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                described |= set(range(statement.lineno, (statement.end_lineno or 0) + 1))
    code: set[int] = set()
    comments: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments.add(token.start[0])
        elif token.type not in _NO_CODE:
            code |= set(range(token.start[0], token.end[0] + 1))
    return Counter(code=len(code - described), comment=len(comments), docstring=len(described))


def totals(sources: dict[str, str]) -> dict[str, Counter[str]]:
    """Counts by folder, two levels deep."""
    folders: dict[str, Counter[str]] = {}
    for path, source in sources.items():
        parts = Path(path).parts
        for folder in {parts[0], "/".join(parts[:2]) if len(parts) > 2 else parts[0]}:
            folders.setdefault(folder, Counter()).update(count(source))
    return folders


def here(folders: tuple[str, ...]) -> dict[str, str]:
    """The sources of the work tree."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


def at(rev: str, folders: tuple[str, ...]) -> dict[str, str]:
    """The sources of a commit."""
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "--name-only", rev, *folders],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = [path for path in listed.stdout.split() if path.endswith(".py")]
    shown = [["git", "show", f"{rev}:{path}"] for path in paths]
    texts = [subprocess.run(c, cwd=ROOT, check=True, capture_output=True, text=True).stdout for c in shown]
    return dict(zip(paths, texts, strict=True))


def main() -> None:
    """Print the counts, beside another commit's where one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", default=FOLDERS)
    parser.add_argument("--against", metavar="REV")
    given = parser.parse_args()
    folders = tuple(given.folders)
    now = totals(here(folders))
    print(f"{'folder':24} {'code':>7} {'comments':>9} {'share':>7} {'docstrings':>11}")
    for folder in sorted(now):
        counted = now[folder]
        share = counted["comment"] / max(1, counted["code"] + counted["comment"])
        print(
            f"{folder:24} {counted['code']:7} {counted['comment']:9} {share:7.1%} {counted['docstring']:11}"
        )
    code = sum(now[folder]["code"] for folder in now if "/" not in folder)
    if given.against:
        before = totals(at(given.against, folders))
        was = sum(before[folder]["code"] for folder in before if "/" not in folder)
        print(f"code lines: {was} at {given.against}, {code} now: {code - was:+}")
    else:
        print(f"code lines: {code}")


if __name__ == "__main__":
    main()
