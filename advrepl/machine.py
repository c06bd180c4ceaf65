"""What the machine has: cores and memory.

Does not need llama.cpp, and does not measure (tuning/ does). Loads psutil when it is asked: a story is shown before.
"""

import os

import msgspec

GIB = 1 << 30


def on_battery() -> bool:
    """Does this machine say that it runs on its battery?"""
    import psutil

    try:
        battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    except OSError:  # psutil 7.2.2 in a container without /sys/class/power_supply
        return False
    return battery is not None and battery.power_plugged is False


def usable_cores() -> int:
    """Return the cores this process may use, hyper-threads counted; in a container fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def physical_cores() -> int:
    """Return the cores this process may use, hyper-threads not counted: more threads make llama.cpp slower."""
    import psutil

    return max(min(psutil.cpu_count(logical=False) or usable_cores(), usable_cores()), 1)


def free_memory() -> int:
    """Return the bytes that programs can still have."""
    import psutil

    return psutil.virtual_memory().available


class Machine(msgspec.Struct, frozen=True):
    """All that decides how fast a model runs. What was found on one machine does not hold on another."""

    devices: list[str]  # processor and graphics cards
    cores: int  # that may be used
    memory_gb: int
    library: str


def this_machine(devices: list[str]) -> Machine:
    """Describe this machine; `devices`: what llama.cpp calls its processors and cards."""
    from importlib.metadata import version  # takes longer to load than all the rest

    import psutil

    memory = round(psutil.virtual_memory().total / GIB)
    return Machine(devices, physical_cores(), memory, f"llama-cpp-python {version('llama-cpp-python')}")
