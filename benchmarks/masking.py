"""How much masking finds of planted forms, how much it masks wrongly, and its cost.

`python -m benchmarks.masking` prints a table, `--misses` the mistakes, `--list` every match in the real messages, for a
person to read. Without real messages beside the repository, the sample is used.
"""

import argparse
import time
from collections import defaultdict

from services.kernel.masking import find
from tests.kit import planted

CONTEXT = 14


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.masking", description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="how often each form is planted")
    parser.add_argument("--misses", action="store_true", help="print the missed forms and the wrongly masked texts")
    parser.add_argument("--list", action="store_true", help="print every match in the real messages")
    chosen = parser.parse_args()
    if chosen.list:
        matches()
    else:
        measure(chosen.times, chosen.misses)
        cost()


def measure(times: int, misses: bool) -> None:
    """Prints, for each kind, how many planted forms were found, and how many other texts were masked."""
    personal, nobodys = planted.forms()
    carriers = planted.carriers()
    found = planted.score(spans, planted.plant(personal, carriers, times))
    touched = planted.score(spans, planted.plant(nobodys, carriers, times))
    print(f"{'kind':10} {'forms':>6} {'found':>8} {'of nobody':>10} {'touched':>8}")
    for kind, score in found.items():
        wrong = 1 - touched[kind].right
        print(f"{kind:10} {len(personal[kind]):6} {score.right:8.1%} {len(nobodys[kind]):10} {wrong:8.1%}")
    if misses:
        for name, scores in (("missed", found), ("touched", touched)):
            for one in (wrong for score in scores.values() for wrong in score.wrong):
                print(f"{name} {one.kind} {one.form!r}: {one.text[max(0, one.begin - 6) : one.end + 6]!r}")


def cost() -> None:
    """Prints the processor time for one text, the least of five rounds."""
    texts = planted.carriers(longest=100_000)
    least = float("inf")
    for _ in range(5):
        begun = time.process_time()
        for text in texts:
            find(text)
        least = min(least, time.process_time() - begun)
    letters = sum(map(len, texts))
    print(f"{least / len(texts) * 1e6:.1f} µs a text of {letters / len(texts):.0f} characters")


def matches() -> None:
    """Prints the matches in the real messages, by kind."""
    by_kind = defaultdict(list)
    for text in planted.real_texts():
        for begin, end, kind in find(text):
            around = text[max(0, begin - CONTEXT) : begin], text[begin:end], text[end : end + CONTEXT]
            by_kind[kind].append("{}⟦{}⟧{}".format(*around).replace("\n", "⏎"))
    for kind, lines in by_kind.items():
        print(f"\n== {kind}: {len(lines)}")
        print("\n".join(lines))


def spans(text: str) -> list[tuple[int, int]]:
    """The masked places."""
    return [(begin, end) for begin, end, _ in find(text)]


if __name__ == "__main__":
    main()
