# SPDX-License-Identifier: Apache-2.0
"""Reads PyTorch's own files of tensors, and nothing else that a pickle may hold."""

import pickle

import torch

import safetensors_file


class Refused(Exception):
    """A checkpoint cannot be converted; the message names the file or the tensor and says why."""


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
