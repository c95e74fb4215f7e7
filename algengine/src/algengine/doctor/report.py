"""The findings of an examination for people and for tools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from algengine.doctor.examine import is_sound
from algengine.doctor.finding import Finding
from simengine.files.atomic import write_atomically

_STYLES = {"ok": "green", "info": "", "warning": "yellow", "error": "bold red"}


def render_findings(name: str, findings: Sequence[Finding]) -> RenderableType:
    """Return a paragraph per check, then the verdict."""
    lines: list[RenderableType] = [Text(f"examination of {name}")]
    for finding in findings:
        head = f"{finding.level:8s}{finding.check}"
        if finding.meaning:
            head += f": {finding.meaning} [{finding.mistake}]"
        lines.append(Text(head, style=_STYLES[finding.level]))
        lines.append(Text(f"        observed  {finding.observed}"))
        if finding.expected:
            lines.append(Text(f"        expected  {finding.expected}"))
        if finding.where:
            lines.append(Text(f"        look at   {finding.where}"))
    errors = [finding.mistake for finding in findings if finding.level == "error"]
    lines.append(Text(f"{len(errors)} mistakes: {', '.join(errors)}" if errors else "no mistake found"))
    return Group(*lines)


def write_findings(path: Path, name: str, findings: Sequence[Finding]) -> None:
    """Write the findings as JSON."""
    content = {
        "planner": name,
        "sound": is_sound(findings),
        "findings": [asdict(finding) for finding in findings],
    }
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())
