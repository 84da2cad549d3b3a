import errno
import os

import pytest

from broker.core.shortage import shortage_of


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(number, os.strerror(number)) for number in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE)),
        *(OSError(number, os.strerror(number)) for number in (errno.ENFILE, errno.ENOSPC, errno.EDQUOT)),
        MemoryError(),
        RuntimeError("can't start new thread"),
    ],
)
def test_what_passes_by_itself_has_a_reason(error: Exception) -> None:
    assert shortage_of(error)


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(number, os.strerror(number)) for number in (errno.ENOENT, errno.EACCES, errno.ENOEXEC)),
        OSError("without a number"),
        RuntimeError("another"),
        ValueError(),
    ],
)
def test_everything_else_has_none(error: Exception) -> None:
    assert shortage_of(error) is None
