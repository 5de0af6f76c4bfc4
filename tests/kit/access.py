"""The tests' keys of staff tokens, and tokens with these keys."""

import json
import uuid
from datetime import timedelta

from services.kernel.access import tokens
from services.kernel.access.signing import PublicKeys, SigningKey

SIGNING = SigningKey.new()
KEY_SET = json.dumps({"keys": [SIGNING.public]})
PUBLIC = PublicKeys(KEY_SET)


def token(
    unit: str, *roles: str, person: str = "", post: str = "", deployment: str = "local",
    life: timedelta = tokens.LIFE, key: SigningKey = SIGNING, id_: str = "",
) -> str:  # fmt: skip
    """A staff token for the post with the name of the first role. By default each post has its own person."""
    said = tokens.claims(
        deployment, person=person or f"{roles[0]}@{unit}", unit=unit, post=post or roles[0], roles=roles, life=life
    )
    return tokens.sign(key, said.model_copy(update={"jti": id_ or str(uuid.uuid4())}))


def bearer(unit: str, *roles: str, person: str = "") -> dict[str, str]:
    """The header of such a token."""
    return {"Authorization": f"Bearer {token(unit, *roles, person=person)}"}
