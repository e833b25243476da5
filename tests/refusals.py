"""Errors expected with all their facts."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from assistant.errors import QuipuError


@contextmanager
def refused(error: QuipuError) -> Iterator[None]:
    """Expect an error of this kind with these facts."""
    with pytest.raises(type(error)) as caught:
        yield
    assert caught.value.notice == error.notice
