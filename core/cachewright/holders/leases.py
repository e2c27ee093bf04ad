"""The sole-opener probe: the kernel's own word that nobody else has a file open.

A write lease is granted only while no other open description of the file exists anywhere on this
kernel, in whatever process or namespace (DESIGN 6a, reliability.md G).  It also sees what no
process list shows: descriptors in flight, in io_uring or held by the kernel.  It does not see
directories, ``O_PATH`` descriptors or a working directory.
"""

from __future__ import annotations

import errno
import signal
import sys


def sole_opener(fd: int) -> bool | None:
    """Whether ``fd`` (a regular file, opened for reading) is the only open description.

    True: nobody else on this computer has it open, mapped or running.  False: somebody has.
    None: the file system or our rights do not allow the question.  Ask on local file systems
    only: one with a server or FUSE behind it may grant what it cannot promise.

    The lease is dropped at once; call this only when deciding or acting, since another's
    non-blocking open fails while it lasts.  Safe from any thread: no signal disposition is
    changed.
    """
    alone = take_lease(fd)
    if alone:
        drop_lease(fd)
    return alone


def no_writer(fd: int) -> bool | None:
    """Whether nobody has the file that ``fd`` reads open, or mapped, for writing; readers do not
    count.  Answers, limits and rules as for ``sole_opener``: a read lease is granted only while
    no description that could write exists, and nobody but a writer has to wait while it lasts.
    """
    free = _take(fd, reading=True)
    if free:
        drop_lease(fd)
    return free


def take_lease(fd: int) -> bool | None:
    """The same answer as ``sole_opener``; after True the lease is kept.

    Until ``drop_lease``, or until ``fd`` is closed, whoever opens the file waits (at most the
    kernel's lease-break-time, 45 s; a non-blocking open fails), this process included.
    """
    return _take(fd, reading=False)


def _take(fd: int, *, reading: bool) -> bool | None:
    if sys.platform != "linux":
        return None
    import fcntl

    try:
        # Who opens the file in between makes the kernel signal us, by default with SIGIO, which
        # kills.  SIGURG is ignored unless a program asks for it.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK if reading else fcntl.F_WRLCK)
    except OSError as error:
        return False if error.errno == errno.EAGAIN else None
    return True


def drop_lease(fd: int) -> None:
    """Let those who wait to open the file go on."""
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
