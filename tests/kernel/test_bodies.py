"""JSON is read strictly: sound JSON reads as with the parser, and JSON that would lose something is refused."""

import orjson
import pytest

from services.kernel.core.problems import Malformed
from services.kernel.serving import bodies


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": 9007199254740993, "b": -1.5, "c": 1e22, "d": 1.10, "e": 123456789012345}',
        b'{"a": "\\\\\\"", "b": "\\"", "\\\\": {"a": 1}, "c": [{"a": 1}, {"a": 1}]}',
        '{"价": "“引号”", "b": ""}'.encode(),
        b"[]",
        b'"\\u005c\\u0022"',
    ],
)
def test_what_is_sound_is_parsed(content: bytes) -> None:
    assert bodies.parse_json(content) == orjson.loads(content)
    assert bodies.parse_json(bodies.BOM + content) == orjson.loads(content)


def test_equal_names_are_found_at_any_depth() -> None:
    with pytest.raises(Malformed, match="b stands twice"):
        bodies.parse_json(b'{"a": [{"b": {}, "b": {"c": "\\\\"}}]}')
