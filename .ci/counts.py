"""Say how many tests ran, from a log of tox: one line per environment, then the sum. It fails when no test ran.

Usage: counts.py LOG. It reads the closing lines of trial's text reporter and of pytest.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

COMMAND = re.compile(r"^([\w.-]+): commands\[\d+\](?: .*)?> ")
TRIAL = re.compile(r"^(?:PASSED|FAILED)(?: \((.*)\))?$")
PYTEST = re.compile(r"^=* ?(\d+ [a-z]+(?:, \d+ [a-z]+)*) in [\d.]+s")
WORDS = {"successes": "passed", "failures": "failed", "errors": "failed", "error": "failed", "skips": "skipped"}


def closing_lines(lines: Iterable[str]) -> Iterator[tuple[str, Counter[str]]]:
    """Each environment that ran tests, with its numbers by word: passed, failed, skipped, ..."""
    environment = "?"
    for line in lines:
        if found := COMMAND.match(line):
            environment = found[1]
        elif found := TRIAL.match(line):
            yield environment, _numbers(re.findall(r"(\w+)=(\d+)", found[1] or ""))
        elif found := PYTEST.match(line):
            yield environment, _numbers((word, count) for count, word in re.findall(r"(\d+) (\w+)", found[1]))


def _numbers(pairs: Iterable[tuple[str, str]]) -> Counter[str]:
    numbers: Counter[str] = Counter(passed=0, failed=0)
    for word, count in pairs:
        numbers[WORDS.get(word, word)] += int(count)
    return numbers


def main() -> None:
    """Print the counts; exit with 1 when not a single test passed."""
    total: Counter[str] = Counter(passed=0, failed=0)
    for environment, numbers in closing_lines(Path(sys.argv[1]).read_text(errors="replace").splitlines()):
        print(f"{environment}: {_text(numbers)}")
        total.update(numbers)
    print(f"all environments: {_text(total)}")
    if not total["passed"]:
        raise SystemExit("no test ran")


def _text(numbers: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in numbers.items())


if __name__ == "__main__":
    main()
