"""Runs a program that must not outlive its supervisor: `python -I -S leash.py SUPERVISOR_PID PROGRAM [ARGUMENT…]`.

It raises the limit of open files, asks the kernel for SIGKILL at the supervisor's death and then becomes the program,
which keeps the pid, the limit and the wish.
A program of its own instead of a `preexec_fn`: that would run Python between fork and exec of a process with threads.
Only Linux knows the wish; elsewhere `planoctl` finds orphans by the pids in the state file.
"""

import os
import resource
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
    _raise_open_files()
    try:
        os.execvp(program[0], program)  # noqa: S606 — becoming the program is what this module is for
    except OSError as error:
        print(f"cannot start {program[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 — stderr is the child's log
        return _CANNOT_EXECUTE


def _raise_open_files() -> None:
    """As many open files as the system allows: the usual soft limit of 1,024 is less than the connections of a day."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # macOS names a hard limit that it does not grant
        return


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
