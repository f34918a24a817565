"""Run checks one after the other: each prints one line, a failed one does not end the rest.

The lines are `pass SUITE: WHAT` or `fail SUITE: WHAT: WHY`; the same goes as one JSON object per line to the file
that $COMPAT_RESULTS names.
"""

import json
import os
import sys
import time
import traceback


class Checks:
    """The checks of one suite."""

    def __init__(self, suite):
        self.suite = suite
        self.failed = 0

    def run(self, what, check):
        """Calls `check`; it passes unless it raises. Returns what it returns, or None."""
        started = time.monotonic()
        value, why = None, None
        try:
            value = check()
        except SystemExit as stop:
            why = f"the client exited with {stop.code}"
        except BaseException as error:  # noqa: BLE001 - whatever a client raises is a failed check.
            if isinstance(error, KeyboardInterrupt):
                raise
            why = " ".join(f"{type(error).__name__}: {error}".split())[:600]
            if os.environ.get("COMPAT_VERBOSE"):
                traceback.print_exc()
        self.record(what, why, time.monotonic() - started)
        return value

    def record(self, what, why, seconds):
        """Notes an outcome; `why` is None if it passed."""
        word = "pass" if why is None else "fail"
        self.failed += why is not None
        print(f"{word} {self.suite}: {what}" + (f": {why}" if why else ""), flush=True)
        results = os.environ.get("COMPAT_RESULTS")
        if results:
            outcome = {
                "suite": self.suite,
                "check": what,
                "passed": why is None,
                "reason": why,
                "seconds": round(seconds, 3),
            }
            with open(results, "a", encoding="utf-8") as file:
                file.write(json.dumps(outcome) + "\n")

    def finish(self):
        """Ends the process: 0 if everything passed."""
        sys.stdout.flush()
        sys.stderr.flush()
        # Some clients leave threads behind that would keep the process.
        os._exit(1 if self.failed else 0)


def eventually(attempt, seconds=30):
    """Calls `attempt` until it does not raise: the chain takes no hyperparameters shortly before an epoch."""
    last = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except Exception:  # noqa: BLE001
            if time.monotonic() > last:
                raise
            time.sleep(0.5)


def expect(condition, otherwise):
    """Raises `otherwise` unless the condition holds."""
    if not condition:
        raise AssertionError(otherwise)
