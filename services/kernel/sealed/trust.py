"""What the caller believes: keys of the log, witnesses and how many of them must agree, checkpoints seen before."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.kernel.tlog import Refused
from services.kernel.tlog.checkpoint import Checkpoint, opened
from services.kernel.tlog.note import Note, Signature, Verifier
from services.kernel.tlog.tree import must_be_consistent
from services.kernel.tlog.witness import Request

CONSISTENCY = "/audit/v1/log/proof/consistency"
"""Where a log of ours gives the proof that one size goes on from another."""


class SplitView(Refused):
    """The log signed two records that are not one."""


@dataclass
class Trust:
    """The basis of every check. All keys have the name of the log, which is its origin."""

    keys: tuple[Verifier, ...]
    witnesses: tuple[Verifier, ...] = ()
    needed: int = 0
    """How many of the witnesses must have signed a checkpoint."""
    roots: dict[int, bytes] = field(default_factory=dict)
    """Size -> the root that the caller saw, or that a proof of consistency led to."""
    signatures: dict[Checkpoint, dict[Verifier, Signature]] = field(default_factory=dict)
    """Checkpoint that was believed -> who signed it, of the keys and witnesses that are given."""

    def __post_init__(self) -> None:
        if not self.keys:
            raise Refused("no key of the log is given, so nothing can be believed")
        if len({key.name for key in self.keys}) != 1:
            raise Refused("the keys are of several logs")
        self.witnesses = tuple(dict.fromkeys(self.witnesses))
        if {key.public for key in self.keys} & {witness.public for witness in self.witnesses}:
            raise Refused("a key of the log is given as its witness: nobody is a witness of their own log")
        if not 0 <= self.needed <= len(self.witnesses):
            raise Refused(f"{self.needed} witnesses are asked for, but {len(self.witnesses)} are given")

    @property
    def origin(self) -> str:
        """The name of the log."""
        return self.keys[0].name

    def open(self, note: bytes, where: str = "the checkpoint", *, newest: bool = True) -> Checkpoint:
        """The checkpoint of a note. Raises `Refused` unless it is believed and agrees with what was seen before.

        `newest` is false for one that another one stands for: witnesses need not have signed it.
        """
        try:
            found = opened(note, self.origin, self.keys, self.witnesses)
        except Refused as refused:
            raise Refused(f"{where}: {refused}") from None
        agree = sum(witness in found.by for witness in self.witnesses)
        if newest and agree < self.needed:
            raise Refused(f"{where}: {agree} of the witnesses signed it, and {self.needed} are needed")
        checkpoint = found.checkpoint
        self.must_agree(checkpoint.size, checkpoint.root, where)
        self.signatures[checkpoint] = found.by
        return checkpoint

    def stated(self, note: bytes, where: str) -> Checkpoint:
        """The checkpoint of a note, whoever signed it: another proof must lead to it.

        Raises `Refused` unless it is of this log and agrees with what was seen before.
        """
        try:
            checkpoint = Checkpoint.parse(Note.parse(note).text)
        except Refused as refused:
            raise Refused(f"{where}: {refused}") from None
        if checkpoint.origin != self.origin:
            raise Refused(f"{where}: it is of {checkpoint.origin}, not of {self.origin}")
        self.must_agree(checkpoint.size, checkpoint.root, where)
        return checkpoint

    def see(self, note: bytes) -> None:
        """Takes in a checkpoint that the caller saw before. Witnesses need not have signed it."""
        found = opened(note, self.origin, self.keys).checkpoint
        self.must_agree(found.size, found.root, "a checkpoint that was seen")
        self.roots[found.size] = found.root

    def must_agree(self, size: int, root: bytes, where: str) -> None:
        """Raises `Refused` if another root of this size was seen."""
        if self.roots.get(size, root) != root:
            raise SplitView(
                f"{where}: SPLIT VIEW: the log signed two different records of {size} events; keep both, and tell "
                "the unit above and the witnesses"
            )

    def must_include_seen(self, checkpoint: Checkpoint, proofs: Iterable[bytes]) -> None:
        """Raises `Refused` unless proofs of consistency join the checkpoint to everything that was seen.

        A proof is a body of `add-checkpoint`: the old size, the path, the newer checkpoint.
        """
        self.must_agree(checkpoint.size, checkpoint.root, "the checkpoint")
        joined = {checkpoint.size}
        roots = self.roots | {checkpoint.size: checkpoint.root}
        for raw in proofs:
            request = Request.parse(raw)
            newer = opened(request.checkpoint, self.origin, self.keys).checkpoint
            self.must_agree(newer.size, newer.root, "a proof of consistency")
            if roots.setdefault(newer.size, newer.root) != newer.root:
                raise SplitView(f"SPLIT VIEW: the log signed two different records of {newer.size} events")
            if request.old not in roots:
                raise Refused(f"a proof of consistency begins at {request.old} events, of which no checkpoint is given")
            try:
                must_be_consistent(request.old, newer.size, request.path, roots[request.old], newer.root)
            except Refused as refused:
                raise SplitView(f"the log does not go on from what was seen: {refused}") from None
            if joined & {request.old, newer.size}:
                joined |= {request.old, newer.size}
        for size in sorted(self.roots.keys() - joined):
            old, new = sorted((size, checkpoint.size))
            raise Refused(
                f"nothing joins {checkpoint.size} events to the checkpoint of {size} that was seen; ask the log for "
                f"its proof of consistency, GET {CONSISTENCY}?old={old}&size={new}, which needs no account, and give "
                "it with --consistency"
            )
