"""Runs a program that must not outlive its supervisor: `python -I -S leash.py SUPERVISOR_PID PROGRAM [ARGUMENT…]`.

It asks the kernel for SIGKILL at the supervisor's death and then becomes the program, which keeps the pid and the wish.
A program of its own instead of a `preexec_fn`: that would run Python between fork and exec of a process with threads.
Only Linux knows the wish; elsewhere `planoctl` finds orphans by the pids in the state file.
"""

import os
import sys

_PR_SET_PDEATHSIG = 1
_SIGKILL = 9
_CANNOT_EXECUTE = 127


def main(arguments: list[str]) -> int:
    supervisor, program = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:
        return 1
    try:
        os.execvp(program[0], program)  # noqa: S606 — becoming the program is what this module is for
    except OSError as error:
        print(f"cannot start {program[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 — stderr is the child's log
        return _CANNOT_EXECUTE


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
