"""The process of a worker: it ends with its supervisor, and answers before it works."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time

LOOK_EVERY_SECONDS = 1.0
SECONDS_TO_END = 10.0
SWITCH_SECONDS = 0.0005
COLLECTED_AFTER = (700, 10, 3)
"""Python's own are 700, 10, 10, with which one look under load took up to 90 ms."""


def answer_before_work() -> None:
    """Have threads at work give way to the event loop, which has little to do each time, sooner
    than Python does of itself (5 ms, which a request would wait for at each of its steps).
    """
    sys.setswitchinterval(SWITCH_SECONDS)


def forget_beginning() -> None:
    """Have the garbage collector pass over what was loaded so far, which stays until the end: to
    look through all of it takes a tenth of a second, in which nobody is answered.

    What comes later is looked through more often than Python would of itself, and less at a time,
    for the same reason.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)


def stop_without(supervisor: int) -> None:
    """End this process soon after its supervisor, which may be killed without a word."""
    threading.Thread(target=_watch, args=(supervisor,), name="supervisor", daemon=True).start()


def _watch(supervisor: int) -> None:
    while os.getppid() == supervisor:
        time.sleep(LOOK_EVERY_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)  # what is being answered is answered first
    time.sleep(SECONDS_TO_END)
    os._exit(1)
