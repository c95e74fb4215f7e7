"""The example in the documentation runs."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "gym.md"


def test_the_first_example_drives_an_episode():
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)[0]
    names: dict = {}
    exec(code, names)
    assert names["info"]["token"] == "demo_0003"
    assert names["info"]["score"] >= 0.0
