# SPDX-License-Identifier: Apache-2.0
"""Reads PyTorch's own files without running any code that a pickle may name."""

import collections
import pickle
import zipfile

import torch

import safetensors_file


class Refused(Exception):
    """A checkpoint cannot be converted; the message names the file or the tensor and says why."""


class Unanswered(Exception):
    """A flag is missing that has no safe default, or its value is not one of those it takes."""


def load(path):
    """The content of a .pt, .pth or .bin file. Refused where unpickling it could run code."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except TypeError:
        raise Refused(f"PyTorch {torch.__version__} cannot read a pickle safely; 1.13 or newer can") from None
    except pickle.UnpicklingError as error:
        reason = str(error).strip().splitlines()[0]
        raise Refused(
            f"{path}: refused, because it is not a pickle of tensors alone; another content could run code on this"
            f" machine. Save model.state_dict(), not the model ({reason})"
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError, AttributeError, IndexError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Refused(f"{path}: not a readable PyTorch file: {reason}") from None


class Stub:
    """What load_data puts in place of an object of a class that it does not know: the object's content, none of its code.

    `name` is the class or function that the pickle names, `arguments` what it would be called with, `state` what the
    object would hold (a dictionary for most), `values` the entries of one that is a dictionary or a list."""

    name = "?"
    dump_patches = False  # torch.load asks every class of an old file for it

    def __init__(self, *arguments):
        self.__dict__.update(arguments=arguments, state={}, values={}, entries=[])

    def __new__(cls, *arguments, **_):
        stub = object.__new__(cls)
        Stub.__init__(stub, *arguments)
        return stub

    def __setstate__(self, state):
        self.__dict__["state"] = state

    def __setitem__(self, key, value):
        self.values[key] = value

    def append(self, value):
        self.entries.append(value)

    def extend(self, values):
        self.entries.extend(values)

    add = append

    def __repr__(self):
        return f"<{self.name}>"


def rebuild_tensor(storage, offset, size, stride, *_):
    return torch._utils._rebuild_tensor(storage, offset, size, stride)


def rebuild_parameter(data, *_):
    return data


class DataUnpickler(pickle.Unpickler):
    """Knows what tensors are made of. Everything else that a pickle names becomes a Stub, and is not imported."""

    known = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch", "Size"): torch.Size,
        ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
        ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
        ("torch.storage", "UntypedStorage"): torch.UntypedStorage,
    }

    def find_class(self, module, name):
        if (module, name) in self.known:
            return self.known[module, name]
        if module == "torch" and name.endswith("Storage") and "." not in name and hasattr(torch, name):
            return getattr(torch, name)
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        return type("Stub", (Stub,), {"name": f"{module}.{name}"})


class DataPickle:
    """Stands in for the module pickle in torch.load."""

    __name__ = "pickle"
    Unpickler = DataUnpickler
    UnpicklingError = pickle.UnpicklingError

    @staticmethod
    def load(file, **options):
        return DataUnpickler(file, **options).load()


def load_data(path):
    """The content of a .pt, .pth, .ckpt or .bin file that holds other objects beside tensors, such as the options of a
    training run. Tensors, dictionaries, lists, texts and numbers come as they are, every other object as a Stub: no class of
    the file is imported and no function of it is called."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("constants.pkl") for name in archive.namelist()):
                raise Refused(f"{path}: refused, because it is a TorchScript program, not a checkpoint")
    try:
        return torch.load(path, map_location="cpu", pickle_module=DataPickle, weights_only=False)
    except (RuntimeError, EOFError, ValueError, LookupError, AttributeError, TypeError, pickle.UnpicklingError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Refused(f"{path}: not a readable PyTorch file: {reason}") from None


def plain(value):
    """A Stub's content as a dictionary (an argparse.Namespace's options, a dictionary's entries); other values as they
    are."""
    if not isinstance(value, Stub):
        return value
    state = value.state if isinstance(value.state, dict) else {}
    return {**state, **value.values} or (value.entries if value.entries else state)


class Checkpoint:
    """Tensors by name, of which every one is to be taken once."""

    def __init__(self, path, tensors):
        self.path, self.tensors = path, dict(tensors)

    def names(self):
        return list(self.tensors)

    def take(self, name, shape, meaning):
        """The tensor of that name, float32. A None in `shape` is any number; `meaning` says in words where it comes
        from."""
        if name not in self.tensors:
            raise Refused(f"{self.path}: has no tensor '{name}'")
        tensor = self.tensors.pop(name)
        found = list(tensor.shape)
        if len(found) != len(shape) or any(want not in (None, have) for want, have in zip(shape, found)):
            want = ", ".join("any" if number is None else str(number) for number in shape)
            raise Refused(f"{self.path}: tensor '{name}' is {found}, not [{want}] ({meaning})")
        return tensor.float()

    def finish(self, model):
        """Refused if a tensor is left; `model` says of what ("a Neural Turing Machine") it is no part."""
        if self.tensors:
            raise Refused(
                f"{self.path}: tensor '{next(iter(self.tensors))}' has no place in {model}; tensors left:"
                f" {len(self.tensors)}"
            )


def check(path, tensors):
    """{name: tensor}, as safetensors can hold it; or Refused."""
    if not isinstance(tensors, dict):
        raise Refused(f"{path}: holds a {type(tensors).__name__}, not a dictionary of tensors")
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise Refused(f"{path}: entry {name!r} is a {type(tensor).__name__}, not a tensor")
        if tensor.layout != torch.strided or tensor.dtype not in safetensors_file.DTYPE_NAMES:
            raise Refused(f"{path}: tensor '{name}' ({tensor.dtype}, {tensor.layout}) has no place in model.safetensors")
    if not tensors:
        raise Refused(f"{path}: holds no tensor")
    return dict(tensors)


def check_finite(path, tensors):
    """Refused if some value is NaN or infinite: such a model gives no answer."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            index = (~torch.isfinite(tensor)).nonzero()[0].tolist()
            raise Refused(f"{path}: tensor '{name}' is {tensor[tuple(index)].item()} at {index}, which is not finite")
