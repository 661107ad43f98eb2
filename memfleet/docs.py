"""Writes the reference pages of docs/ from the code: `python -m memfleet.docs [DIRECTORY]`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from typer.main import get_command

from agent.config import AgentConfig
from collector.config import CollectorConfig
from memfleet.cli import COMMANDS, app
from memfleet.setting_texts import Setting, settings_of
from telemetry.settings import PREFIX

CONFIGURATIONS: Mapping[str, type[msgspec.Struct]] = {"Collector": CollectorConfig, "Agent": AgentConfig}

_SETTINGS_HEAD = f"""# Configuration

Agent and collector each read one TOML file. `memfleet init` writes one with every setting and what it means;
`memfleet check-config FILE` names every fault in a file at once. A setting is looked for in this order, the last one
found counts: its default, the file, the environment (`{PREFIX}BROKER__URL` is `url` in `[broker]`), the command line.

Secrets are never settings: a `*_file` setting names the file that holds one.
"""

_COMMANDS_HEAD = """# Commands

`memfleet COMMAND --help` says the same. Exit status: 0 done; 1 the answer is no (a check failed, an alert fires);
2 the command, or a file that it was given, is wrong.

A shell completes all of them: `eval "$(memfleet completion bash)"` in `~/.bashrc`; zsh and fish likewise.
"""


_MARKUP = re.compile(r"\[/?[a-z]+\]").sub
_EXAMPLE = re.compile(r"^Example: (memfleet .*)").sub


def settings_page() -> str:
    """docs/configuration.md."""
    parts = [_SETTINGS_HEAD]
    for title, kind in CONFIGURATIONS.items():
        parts += [f"## {title}\n", *_tables(kind, "")]
    return "\n".join(parts)


def _tables(kind: type[msgspec.Struct], path: str) -> Iterator[str]:
    """A table of settings for the type itself, then one for each table within it."""
    settings = settings_of(kind)
    if path:
        yield f"### `{path}`\n"
    yield f"{' '.join((kind.__doc__ or '').split())}\n"
    plain = [setting for setting in settings if setting.table is None]
    if plain:
        yield "| setting | takes | default | meaning |\n|---|---|---|---|"
        yield "\n".join(_row(setting) for setting in plain) + "\n"
    for setting in settings:
        if setting.table is not None:
            name = ".".join(filter(None, (path.strip("[]"), setting.name)))
            yield from _tables(setting.table, f"[[{name}]]" if setting.many else f"[{name}]")


def _row(setting: Setting) -> str:
    default = "required" if setting.required else _default(setting.default)
    return " | ".join((f"| `{setting.name}`", setting.values.replace("|", r"\|"), default, f"{setting.text} |"))


def _default(value: Any) -> str:
    if value is None or value == "" or value == () or value == {}:
        return "-"
    return f"`{msgspec.json.encode(value).decode()}`"


def commands_page() -> str:
    """docs/commands.md."""
    group = get_command(app)
    context: Any = None
    parts = [_COMMANDS_HEAD]
    for name in sorted(COMMANDS):
        _, command, _ = group.resolve_command(context, [name])  # type: ignore[attr-defined]  # a group has it
        parts += _command(command, f"memfleet {name}")
    return "\n".join(parts)


def _command(command: Any, path: str) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    subcommands = getattr(command, "commands", {})
    usage = [path, *(_argument(p) for p in arguments), *(["COMMAND"] if subcommands else [])]
    yield f"{'##' if path.count(' ') == 1 else '###'} {path}\n"
    yield f"    {' '.join(usage)}{' [OPTIONS]' if options else ''}\n"
    yield f"{_paragraphs(command.help or '')}\n"
    rows = [(_argument(p), p.help) for p in arguments if p.help] + [(_option(p), _option_help(p)) for p in options]
    if rows:
        yield "\n".join(f"- `{name}` {text}" for name, text in rows) + "\n"
    for name, subcommand in sorted(subcommands.items()):
        yield from _command(subcommand, f"{path} {name}")


def _paragraphs(text: str) -> str:
    plain = _MARKUP("", text).replace("\b", "").replace("\f", "").strip()
    paragraphs = [" ".join(paragraph.split()) for paragraph in plain.split("\n\n")]
    return "\n\n".join(_EXAMPLE(r"Example:\n\n    \1", paragraph) for paragraph in paragraphs)


def _argument(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name.upper()) + ("..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _option(parameter: Any) -> str:
    names = ", ".join((*parameter.opts, *parameter.secondary_opts))
    return names if parameter.is_flag else f"{names} {parameter.metavar or parameter.name.upper()}"


def _option_help(parameter: Any) -> str:
    shown = parameter.default not in (None, False, "", (), []) and not callable(parameter.default)
    default = f" (default: {parameter.default})" if shown and not parameter.is_flag else ""
    needed = " (required)" if parameter.required else ""
    return f"{' '.join((parameter.help or '').split())}{default}{needed}"


PAGES = {"configuration.md": settings_page, "commands.md": commands_page}


def main(directory: Path) -> None:
    """Write every generated page."""
    for name, page in PAGES.items():
        (directory / name).write_text(page())


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
