"""The boundary of readers of foreign layouts: what is wrong with a record is one sentence that names its scenario."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from simengine.errors import ScenarioFormatError


@contextmanager
def foreign_record(token: str, layout: str) -> Iterator[None]:
    """Read a record inside this context.

    Args:
        token: of the scenario.
        layout: what the record should look like, for the message.

    Raises:
        ScenarioFormatError: a field is missing or malformed.
    """
    try:
        yield
    except ScenarioFormatError as error:
        text = str(error)
        raise ScenarioFormatError(text if token in text else f"scenario {token}: {text}") from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ScenarioFormatError(
            f"scenario {token}: a field is missing or malformed ({type(error).__name__}: {error}), expected {layout}: "
            "check how the file was made"
        ) from None
