# SPDX-License-Identifier: Apache-2.0
"""What runs a benchmark: processor, instruction sets, load, versions."""

import importlib.metadata
import os
import platform

# Of /proc/cpuinfo's flags, those that kernels choose by.
INSTRUCTION_SETS = ("avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8",
                    "amx_bf16")  # fmt: skip


def cpu():
    """(model, instruction sets that it has)"""
    model, flags = platform.processor() or platform.machine(), set()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    model = value.strip()
                elif key.strip() in ("flags", "Features"):
                    flags = set(value.split())
                    break
    except OSError:
        pass
    return model, [name for name in INSTRUCTION_SETS if name in flags]


def cores():
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def load_average():
    """Processes that ran or wanted to in the last minute."""
    return os.getloadavg()[0]


def version(package):
    """Of an installed Python package; None without it."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
