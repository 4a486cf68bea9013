"""Reads a PyTorch state dict without PyTorch and without running a pickle.

Since version 1.6 `torch.save` writes a zip archive: `<name>/data.pkl`, a pickle that
describes dictionaries and tensors, and `<name>/data/<key>`, the numbers of each storage. A
pickle is a program, and unpickling runs it: whoever wrote the file decides what happens on
the reader's machine. Here the few instructions that a state dict needs are carried out one
by one by `_describe`, on plain Python values; no name in the file is ever imported and
nothing in it is ever called. Anything else is an error.

    tensors = read_state_dict("ParticleNet_kin.pt")        # {"mod.fc.1.bias": array([...]), ...}
"""

from __future__ import annotations

import math
import os
import pickletools
import zipfile
from typing import Any, NamedTuple

import numpy as np

from zoo.pretrained.weights import WeightsError

__all__ = ["read_state_dict"]

STORAGES = {
    "torch FloatStorage": "<f4",
    "torch DoubleStorage": "<f8",
    "torch HalfStorage": "<f2",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
    "torch ShortStorage": "<i2",
    "torch CharStorage": "i1",
    "torch ByteStorage": "u1",
    "torch BoolStorage": "?",
}
REBUILD = "torch._utils _rebuild_tensor_v2"
DICTIONARY = "collections OrderedDict"
LARGEST = 1 << 32
"""Bytes of one storage beyond which a file is refused: no model of this zoo is near."""


class _Global(str):
    """A name that the pickle would import. It stays a name."""


class _Storage(NamedTuple):
    """A reference to the numbers of one storage."""

    dtype: str
    key: str
    elements: int


class _Tensor(NamedTuple):
    """A view of a storage; offset and strides count elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_state_dict(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The tensors of a `torch.save`d state dict by name.

    Raises:
        WeightsError: the file is no such archive, is damaged, or asks for anything but
            tensors in a dictionary.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            described = [
                name
                for name in archive.namelist()
                if name.endswith("/data.pkl") and name.count("/") == 1
            ]
            if len(described) != 1:
                raise WeightsError(
                    f"{path} is no archive of torch.save: it holds {len(described)} data.pkl, not "
                    "one"
                )
            folder = described[0].removesuffix("data.pkl")
            if (
                f"{folder}byteorder" in archive.namelist()
                and archive.read(f"{folder}byteorder") != b"little"
            ):
                raise WeightsError(
                    f"{path} was written on a big-endian machine, which this reader does not know"
                )
            content = _describe(archive.read(described[0]), str(path))
            if not isinstance(content, dict) or not all(
                isinstance(value, _Tensor) for value in content.values()
            ):
                raise WeightsError(
                    f"{path} holds something else than a dictionary of tensors by name"
                )
            return {
                str(name): _array(archive, folder, tensor, f"{name} in {path}")
                for name, tensor in content.items()
            }
    except (
        zipfile.BadZipFile,
        EOFError,
        KeyError,
        NotImplementedError,
        OSError,
        RuntimeError,
    ) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise WeightsError(
            f"{path} is not a readable archive of torch.save ({error}); delete it and fetch it "
            "again"
        ) from error


def _describe(program: bytes, where: str) -> Any:
    """What the pickle describes, with tensors as `_Tensor`."""
    machine = _Machine(where)
    try:
        for opcode, argument, _ in pickletools.genops(program):
            if opcode.name == "STOP":
                break
            machine.step(opcode.name, argument)
        (content,) = machine.stack
    except (IndexError, KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(
            f"the description of tensors in {where} is damaged ({type(error).__name__}); fetch "
            "the file again"
        ) from error
    return content


class _Machine:
    """The instructions of a state dict's pickle, carried out on plain values.

    Args:
        where: name of the file.
    """

    def __init__(self, where: str):
        self.where = where
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """One instruction."""
        stack = self.stack
        match name:
            case "PROTO" | "FRAME":
                pass
            case "GLOBAL":
                if argument not in (REBUILD, DICTIONARY, *STORAGES):
                    raise self.refused(f"the name {argument.replace(' ', '.')!r}")
                stack.append(_Global(argument))
            case "BINUNICODE" | "BININT" | "BININT1" | "BININT2" | "LONG1":
                stack.append(argument)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "MARK":
                self.marks.append(len(stack))
            case "EMPTY_TUPLE":
                stack.append(())
            case "EMPTY_DICT":
                stack.append({})
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self.take(int(name[-1]))))
            case "TUPLE":
                stack.append(tuple(self.since_mark()))
            case "SETITEM":
                key, value = self.take(2)
                stack[-1][key] = value
            case "SETITEMS":
                items = self.since_mark()
                stack[-1].update(zip(items[::2], items[1::2], strict=True))
            case "BUILD":  # the versions of the modules, an attribute of the dictionary
                _, built = self.take(1), stack[-1]
                if not isinstance(built, dict):
                    raise self.refused("attributes of something that is no dictionary")
            case "BINPERSID":
                stack.append(self.storage(*self.take(1)[0]))
            case "REDUCE":
                stack.append(self.call(*self.take(2)))
            case other:
                raise self.refused(f"the instruction {other}")

    def storage(self, kind: Any, storage: Any, key: Any, device: Any, elements: Any) -> _Storage:
        """The numbers that a persistent identifier stands for."""
        if kind != "storage" or storage not in STORAGES or not key.isalnum():
            raise self.refused(f"the stored object {kind!r}, {key!r}")
        return _Storage(STORAGES[storage], key, int(elements))

    def call(self, function: Any, arguments: Any) -> Any:
        """What the two functions that a state dict calls would give."""
        named = isinstance(function, _Global)
        if named and function == DICTIONARY and arguments == ():
            return {}
        if named and function == REBUILD and isinstance(arguments[0], _Storage):
            storage, offset, shape, strides = arguments[:4]
            return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))
        raise self.refused(f"a call of {str(function)!r}")

    def take(self, count: int) -> list[Any]:
        """The last values of the stack, back to the last mark at most."""
        if len(self.stack) - (self.marks[-1] if self.marks else 0) < count:
            raise IndexError
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken

    def since_mark(self) -> list[Any]:
        """The values since the last mark."""
        start = self.marks.pop()
        taken = self.stack[start:]
        del self.stack[start:]
        return taken

    def refused(self, what: str) -> WeightsError:
        """An error about what the file asks for."""
        return WeightsError(
            f"{self.where} asks for {what}, which no state dict needs; it may be malicious and "
            "was not executed"
        )


def _array(archive: zipfile.ZipFile, folder: str, tensor: _Tensor, where: str) -> np.ndarray:
    """A copy of the tensor's numbers; every element must lie inside its storage."""
    storage = tensor.storage
    size = storage.elements * np.dtype(storage.dtype).itemsize
    entry = archive.getinfo(f"{folder}data/{storage.key}")
    if not 0 <= size <= LARGEST or entry.file_size != size:
        raise WeightsError(
            f"the storage of {where} has {entry.file_size} bytes, its description says {size}"
        )
    lengths, strides = tensor.shape, tensor.strides
    if len(lengths) != len(strides):
        raise WeightsError(f"{where} has {len(lengths)} lengths and {len(strides)} strides")
    last = tensor.offset + sum(
        (length - 1) * stride for length, stride in zip(lengths, strides, strict=True)
    )
    elements = math.prod(lengths)
    if (
        min((tensor.offset, *lengths, *strides)) < 0
        or elements > storage.elements
        or (elements and last >= storage.elements)
    ):
        raise WeightsError(f"{where} reaches beyond its storage of {storage.elements} elements")
    numbers = np.frombuffer(archive.read(entry), storage.dtype)[tensor.offset :]
    return np.lib.stride_tricks.as_strided(
        numbers, lengths, [stride * numbers.itemsize for stride in strides], writeable=False
    ).copy()
