"""Plants personal numbers, and other numbers, in texts, and counts how many a finder finds.

The forms stand in `tests/kernel/masking_forms.yaml`. A finder is any function from a text to the places that it would
mask. So libraries can be measured on the same texts (`benchmarks/masking.py`).
"""

import json
import random
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
DATA = ROOT / "../shared/data"
"""Real messages, if they exist. Nothing of them is ever written anywhere."""
SAMPLE = ROOT / "services/demo/samples/messages.jsonl"
SMALL = "abcdefghijkmnpqrstuvwxyz"
CHINESE = dict(zip("0123456789", "零一二三四五六七八九", strict=True))
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
SURNAMES, GIVEN = "王李张刘陈杨黄赵周吴徐孙朱胡郭何林罗高郑", "伟芳娜敏静强磊军洋艳勇杰娟涛明超秀霞平刚桂英志国建华小春"
PROVINCES, SERIES = "湘湘湘湘京沪粤鄂赣苏", "ABCDEFGHJKLMN"
IDENTITY_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


class Digits(str):
    """A number that can be written in groups: `f"{number:3-4-4}"`, `:wide`, `:chinese`, `:mixed`, `:every `."""

    __slots__ = ()

    def __format__(self, how: str) -> str:
        if how == "":
            return str(self)
        if how == "wide":
            return self.translate(WIDE)
        if how == "chinese":
            return "".join(CHINESE.get(char, char) for char in self)
        if how == "mixed":
            return self[:3].translate(str.maketrans(CHINESE)) + self[3:7] + self[7:].translate(str.maketrans(CHINESE))
        if how.startswith("every"):
            return how[5:].join(self)
        parts, at, size = [], 0, ""
        for char in how:
            if char.isdecimal():
                size += char
            else:
                parts += [self[at : at + int(size)], char] if size else [char]
                at, size = at + int(size or 0), ""
        return "".join((*parts, self[at : at + int(size)] if size else ""))


class Chance(Mapping[str, object]):
    """The names in braces of a form. A name always means the same within one form."""

    def __init__(self, seed: int | str) -> None:
        self._random, self._drawn = random.Random(seed), dict[str, object]()

    def __getitem__(self, name: str) -> object:
        if name not in self._drawn:
            self._drawn[name] = getattr(self, name if hasattr(self, name) else name.removesuffix("2"))()
        return self._drawn[name]

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._drawn)

    def __len__(self) -> int:
        return len(self._drawn)

    def _digits(self, count: int, first: str = "123456789") -> Digits:
        return Digits(self._random.choice(first) + "".join(self._random.choices(string.digits, k=count - 1)))

    def mobile(self) -> Digits:
        return Digits("1" + self._random.choice("3567899") + self._digits(9, string.digits))

    def area(self) -> str:
        return self._random.choice(("0731", "0738", "0746", "0755", "010", "021", "027"))

    def local(self) -> Digits:
        return self._digits(8, "8286")

    def short(self) -> Digits:
        return self._digits(7, "2345678")

    def hongkong(self) -> Digits:
        return self._digits(8, "569")

    def macau(self) -> Digits:
        return Digits("6" + self._digits(7, "2368"))

    def taiwan(self) -> Digits:
        return Digits("9" + self._digits(8, "12356"))

    def us(self) -> Digits:
        return Digits(self._random.choice(("415", "212", "646", "312", "626")) + self._digits(7, "2345678"))

    def britain(self) -> Digits:
        return Digits("74" + self._digits(8, "0135"))

    def japan(self) -> Digits:
        return Digits(self._random.choice("789") + "0" + self._digits(8))

    def singapore(self) -> Digits:
        return self._digits(8, "89")

    def australia(self) -> Digits:
        return Digits("4" + self._digits(8, "0123"))

    def identity(self) -> Digits:
        chance = self._random
        number = (
            chance.choice(("430102", "430181", "431122", "110105", "440301", "510104", "320583"))
            + f"{chance.randint(1945, 2012)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}"
            + f"{chance.randint(0, 999):03}"
        )
        total = sum(int(digit) * weight for digit, weight in zip(number, IDENTITY_WEIGHTS, strict=True))
        return Digits(number + "10X98765432"[total % 11])

    def mistyped(self) -> Digits:
        right = self.identity()
        return Digits(right[:17] + self._random.choice([char for char in string.digits if char != right[17]]))

    def old_identity(self) -> Digits:
        right = self.identity()
        return Digits(right[:6] + f"{self._random.randint(45, 99)}" + right[10:17])

    def card(self) -> Digits:
        head = self._random.choice(("622202", "622848", "621700", "621661", "622588", "621799"))
        return self._luhn(head + self._digits(12, string.digits))

    def short_card(self) -> Digits:
        head = self._random.choice(("4", "51", "53", "62"))
        return self._luhn(head + self._digits(15 - len(head), string.digits))

    def wrong_card(self) -> Digits:
        right = self.card()
        return Digits(right[:-1] + str((int(right[-1]) + self._random.randint(1, 9)) % 10))

    def account(self) -> Digits:
        return Digits("4300" + self._digits(13, string.digits))

    def _luhn(self, head: str) -> Digits:
        for last in string.digits:
            values = [int(digit) for digit in reversed(head + last)]
            if (sum(values[::2]) + sum(sum(divmod(2 * value, 10)) for value in values[1::2])) % 10 == 0:
                return Digits(head + last)
        raise AssertionError

    def eight(self) -> Digits:
        return self._digits(8)

    def nine(self) -> Digits:
        return self._digits(9)

    def ten(self) -> Digits:
        return self._digits(10)

    def six(self) -> Digits:
        return self._digits(6)

    def five(self) -> Digits:
        return self._digits(5)

    def qq(self) -> Digits:
        return self._digits(self._random.randint(6, 10))

    def any12(self) -> Digits:
        return self._digits(12)

    def any16(self) -> Digits:
        return Digits("20" + self._digits(14))

    def any20(self) -> Digits:
        return self._digits(20)

    def date(self) -> Digits:
        chance = self._random
        return Digits(f"20{chance.randint(10, 24)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}")

    def word(self) -> str:
        return "".join(self._random.choices(SMALL, k=self._random.randint(4, 7)))

    def nick(self) -> str:
        return self.word() + self._digits(self._random.randint(2, 4))

    def under(self) -> str:
        return self.word() + "_" + self.word()

    def cjk(self) -> str:
        return self._random.choice(
            ("老张说事", "湘江渔夫", "风轻云淡", "小雨点", "蓝天白云", "一叶知秋", "快乐的小鱼", "浏阳河边", "星城老王")
        )

    def host(self) -> str:
        return self._random.choice(
            ("qq.com", "163.com", "126.com", "gmail.com", "sina.com", "foxmail.com", "outlook.com")
        )

    def name(self) -> str:
        return self._random.choice(SURNAMES) + "".join(self._random.choices(GIVEN, k=self._random.randint(1, 2)))

    def name3(self) -> str:
        return self._random.choice(SURNAMES) + "".join(self._random.choices(GIVEN, k=2))

    def name4(self) -> str:
        return self._random.choice(("欧阳", "司马", "上官", "诸葛")) + "".join(self._random.choices(GIVEN, k=2))

    def province(self) -> str:
        return self._random.choice(PROVINCES)

    def series(self) -> str:
        return self._random.choice(SERIES)

    def plate(self) -> Digits:
        """Five places of a plate."""
        return self._digits(5, string.digits)

    def lettered(self) -> Digits:
        return Digits(
            self._digits(2, string.digits) + self._random.choice("BCDEFGHJK") + self._digits(2, string.digits)
        )

    def green(self) -> Digits:
        return Digits("D" + self._digits(5, string.digits))


Finder = Callable[[str], Iterable[tuple[int, int]]]
_SECRET = re.compile("⟦([^⟧]*)⟧")


class Planted(NamedTuple):
    """A text with a number at `begin`..`end`. `secrets` are the places that must be masked."""

    kind: str
    form: str
    text: str
    begin: int
    end: int
    secrets: tuple[tuple[int, int], ...]

    @property
    def written(self) -> str:
        return self.text[self.begin : self.end]


class Score(NamedTuple):
    """How often something was planted, and the cases in which a finder was wrong."""

    planted: int
    wrong: tuple[Planted, ...]

    @property
    def right(self) -> float:
        return 1 - len(self.wrong) / self.planted


def forms() -> tuple[Mapping[str, Sequence[str]], Mapping[str, Sequence[str]]]:
    """Kind -> forms, of personal and of other texts."""
    both = yaml.safe_load((ROOT / "tests/kernel/masking_forms.yaml").read_text(encoding="utf-8"))
    return both["personal"], both["nobodys"]


def real_texts() -> list[str]:
    """The texts of the real messages and their replies; none if there are no real messages."""
    rows = [
        json.loads(line)
        for name in ("messages.jsonl", "replied.jsonl")
        if (DATA / name).exists()
        for line in (DATA / name).read_text(encoding="utf-8").splitlines()
    ]
    return [row[field] for row in rows for field in ("title", "body", "reply") if row.get(field)]


def carriers(longest: int = 400) -> list[str]:
    """Texts in which forms are planted: real ones, or those of the demonstration if there are none."""
    rows = SAMPLE.read_text(encoding="utf-8").splitlines()
    texts = real_texts() or [text for row in map(json.loads, rows) for text in row.values() if isinstance(text, str)]
    return [text for text in texts if 20 < len(text) <= longest]


def plant(kinds: Mapping[str, Sequence[str]], carriers: Sequence[str], times: int) -> Iterator[Planted]:
    """Each form so many times, with other numbers and in another text each time, at the end of a sentence or clause."""
    for kind, written in kinds.items():
        for form in written:
            for turn in range(times):
                chance = random.Random(f"{form}{turn}")
                filled = form.format_map(Chance(f"{form}{turn}"))
                carrier = chance.choice(carriers)
                at = chance.choice([found.end() for found in re.finditer("[，。！？；]", carrier)] or [0])
                bare, secrets = "", []
                for number, piece in enumerate(_SECRET.split(filled)):
                    if number % 2:
                        secrets.append((at + len(bare), at + len(bare) + len(piece)))
                    bare += piece
                text = carrier[:at] + bare + chance.choice("，。；") + carrier[at:]
                yield Planted(kind, form, text, at, at + len(bare), tuple(secrets))


def score(found: Finder, planted: Iterable[Planted]) -> dict[str, Score]:
    """Kind -> the mistakes: a secret of which a letter or digit stays or, without a secret, a text that was masked."""
    counts: dict[str, int] = {}
    wrong: dict[str, list[Planted]] = {}
    for one in planted:
        counts[one.kind] = counts.get(one.kind, 0) + 1
        covered = {at for begin, end in found(one.text) for at in range(max(begin, one.begin), min(end, one.end))}
        if one.secrets:
            missed = any(one.text[at].isalnum() for begin, end in one.secrets for at in {*range(begin, end)} - covered)
        else:
            missed = bool(covered)
        if missed:
            wrong.setdefault(one.kind, []).append(one)
    return {kind: Score(count, tuple(wrong.get(kind, ()))) for kind, count in counts.items()}
