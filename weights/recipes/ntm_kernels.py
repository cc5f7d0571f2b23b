# SPDX-License-Identifier: Apache-2.0
"""Compiled steps for training a Neural Turing Machine on a CPU, several times as fast as PyTorch's own operations.

`attach(machine, directory)` compiles ntm_kernels.cpp for the machine's sizes with the C++ compiler ($CXX, or c++) and has
its steps use it; False where there is no compiler, or the machine is not of the one kind that the file knows.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess

import torch

SOURCE = f"{os.path.dirname(os.path.abspath(__file__))}/ntm_kernels.cpp"
REALS = {torch.float32: "float", torch.float64: "double"}


def suits(machine):
    """Whether the machine is of the kind that ntm_kernels.cpp knows."""
    return (
        machine.order == "interleaved"
        and machine.head_kinds == ["write"] + ["read"] * (len(machine.head_kinds) - 1)
        and (machine.key_activation, machine.add_activation, machine.clip) == ("tanh", "tanh", None)
        and machine.cosine["form"] == "added"
        and machine.sharpening["base_epsilon"] > 0
        and machine.sharpening["sum_epsilon"] == 0
    )


def compiled(machine, directory):
    """The path of the library for the machine's sizes, made if it is not there."""
    sizes = {
        "REAL": REALS[machine.initial.memory.dtype],
        "SLOTS": machine.slots,
        "SLOT_WIDTH": machine.slot_width,
        "HEADS": len(machine.head_kinds),
        "SHIFTS": len(machine.shifts),
        "SHIFT_LIST": ",".join(map(str, machine.shifts)),
        "MAX_SHIFT": max(1, *map(abs, machine.shifts)),
    }
    flags = ["-std=c++17", "-Ofast", "-march=native", "-shared", "-fPIC"] + [f"-D{k}={v}" for k, v in sizes.items()]
    with open(SOURCE, "rb") as file:
        digest = hashlib.sha256(file.read() + " ".join(flags).encode()).hexdigest()[:16]
    path = f"{directory}/ntm_kernels-{digest}.so"
    if not os.path.exists(path):
        compiler = os.environ.get("CXX", "c++")
        partial = f"{path}.{os.getpid()}"
        subprocess.run([compiler, *flags, SOURCE, "-o", partial], check=True)
        os.replace(partial, path)
    return path


def make_step(path, epsilon, base):
    """A function (outputs, weights, memory, think) -> (weights, memory, reads), with its gradient."""
    library = ctypes.CDLL(path)
    pointer = ctypes.c_void_p
    ends = [ctypes.c_double, ctypes.c_double, ctypes.c_long, ctypes.c_int]
    library.ntm_forward.argtypes = [pointer] * 8 + ends
    library.ntm_backward.argtypes = [pointer] * 11 + ends

    class Step(torch.autograd.Function):
        @staticmethod
        def forward(context, outputs, weights, memory, think):
            outputs, weights, memory = outputs.contiguous(), weights.contiguous(), memory.contiguous()
            similarity, content, new = (torch.empty_like(weights) for _ in range(3))
            written = memory if think else torch.empty_like(memory)
            reads = memory.new_empty(memory.shape[0], weights.shape[1] - 1, memory.shape[2])
            tensors = outputs, weights, memory, similarity, content, new, written, reads
            library.ntm_forward(*(t.data_ptr() for t in tensors), epsilon, base, len(memory), think)
            context.think = think
            context.save_for_backward(outputs, weights, memory, similarity, content, new, *([] if think else [written]))
            return (new, reads) if think else (new, reads, written)

        @staticmethod
        def backward(context, d_weights, d_reads, d_memory=None):
            outputs, weights, memory, similarity, content, new, *written = context.saved_tensors
            d_weights = d_weights.clone(memory_format=torch.contiguous_format)
            d_reads = d_reads.contiguous()
            d_memory = torch.zeros_like(memory) if context.think else d_memory.clone(memory_format=torch.contiguous_format)
            d_outputs = torch.zeros_like(outputs)
            tensors = outputs, weights, memory, *(written or [memory]), similarity, content, new, d_reads, d_weights, d_memory
            library.ntm_backward(
                *(t.data_ptr() for t in tensors), d_outputs.data_ptr(), epsilon, base, len(memory), context.think
            )
            return d_outputs, d_weights, d_memory, None

    return Step.apply


def attach(machine, directory):
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if not compiler or not suits(machine) or machine.initial.memory.device.type != "cpu":
        return False
    machine.compiled_step = make_step(
        compiled(machine, directory), machine.cosine["epsilon"], machine.sharpening["base_epsilon"]
    )
    return True
