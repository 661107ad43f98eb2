"""The documents say what the code does."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from memfleet import docs
from memfleet.cli import COMMANDS, app
from memfleet.setting_texts import settings_of
from telemetry.readings import FLAGS, KINDS, PLATFORMS, Kind

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(DOCS.glob("*.md"))]


@pytest.mark.parametrize("name", docs.PAGES)
def test_generated_pages_are_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == docs.PAGES[name](), f"docs/{name} is stale: run `make docs`"


@pytest.mark.parametrize("title", docs.CONFIGURATIONS)
def test_every_setting_says_what_it_means(title: str) -> None:
    kinds = [docs.CONFIGURATIONS[title]]
    for kind in kinds:
        assert kind.__doc__, f"{kind.__name__} has no text"
        for setting in settings_of(kind):
            assert setting.text, f"{kind.__name__}.{setting.name} has no text below it"
            if setting.table is not None:
                kinds.append(setting.table)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_and_field_of_a_reading_is_explained(kind: Kind) -> None:
    section = re.search(rf"^### `{kind.name}`\n(.*?)(?=^##|\Z)", (DOCS / "readings.md").read_text(), re.M | re.S)
    assert section, f"docs/readings.md has no section on {kind.name}"
    explained = set(re.findall(r"^\| `(\w+)` \|", section[1], re.M))
    assert explained == {*kind.tags, *kind.numbers, *kind.texts}


@pytest.mark.parametrize("word", FLAGS + PLATFORMS)
def test_every_flag_and_platform_is_explained(word: str) -> None:
    assert f"`{word}`" in (DOCS / "readings.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    for target, _, place in links(page):
        other = page.parent / target if target else page
        assert other.exists(), f"{page.name} links to {target}"
        assert not place or place in places(other), f"{page.name} links to {target}#{place}"


def test_every_picture_is_shown() -> None:
    shown = {(page.parent / target).resolve() for page in PAGES for target, _, _ in links(page)}
    assert set((DOCS / "images").iterdir()) <= shown


def test_the_judge_says_what_its_pictures_show(tmp_path: Path) -> None:
    """Of two of them, since all take a minute."""
    names = ("boots", "restarts")
    subprocess.run([sys.executable, "-m", "detection.pictures", tmp_path, *names], cwd=ROOT / "bench", check=True)
    for name in (f"judging-{name}.svg" for name in names):
        assert (tmp_path / name).read_text() == (DOCS / "images" / name).read_text(), "stale: run `make pictures`"


def test_every_page_is_reached_from_the_readme() -> None:
    assert {Path(target).name for target, _, _ in links(ROOT / "README.md")} >= {
        page.name for page in DOCS.glob("*.md")
    }


def links(page: Path) -> list[tuple[str, str, str]]:
    """The links of a page into the project: file and heading."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    return [target.partition("#") for target in re.findall(r"\]\((?!https://)([^)\s]+)\)", text)]


def places(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documents_name_only_commands_and_targets_that_exist(page: Path) -> None:
    text = page.read_text()
    targets = set(re.findall(r"^([a-z-]+):.* ##", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"`(?:[A-Z_]+=\S+ )*make ([a-z-]+)", text)) <= targets
    assert set(re.findall(r"^    make ([a-z-]+)", text, re.M)) <= targets
    assert set(re.findall(r"(?:^    |`)memfleet ([a-z][a-z-]*)", text, re.M)) <= set(COMMANDS)


def command_lines(page: Path) -> list[str]:
    """The command lines of memfleet in a page's code, as one would copy them."""
    code = re.findall(r"^(?: {4}|\t)(.+(?:\\\n.+)*)$", page.read_text(), re.M)
    lines = [re.sub(r"\\\n\s*", "", line).split("  #")[0] for line in code]
    return [line for line in lines if line.startswith("memfleet ")]


LINES = sorted({line for page in PAGES if page.name != "commands.md" for line in command_lines(page)})


@pytest.mark.parametrize("line", LINES)
def test_commands_can_be_copied_as_they_are_printed(line: str) -> None:
    """Every word is one that the command takes; it is not carried out."""
    words = shlex.split(line.split(" | ")[0].split(" > ")[0])[1:]
    assert accepted(words)


@pytest.mark.parametrize("line", ["collect --confg x", "grafana apply --nope", "alerts silence --wat", "collect more"])
def test_a_command_that_would_be_refused_is_found(line: str) -> None:
    with pytest.raises(Exception, match=r"No such option|unexpected extra|Missing"):
        accepted(line.split())


def accepted(words: list[str]) -> bool:
    """Whether the words are read to their end; what is wrong with them is raised as the command line does."""
    command: Any = get_command(app)
    context = command.make_context("memfleet", list(words))
    while hasattr(command, "resolve_command"):
        left = [*context._protected_args, *context.args]
        if not left:
            return True  # a group that says something by itself
        name, command, left = command.resolve_command(context, left)
        context = command.make_context(name, left, parent=context)
    return True


def test_every_reason_to_refuse_a_frame_is_explained() -> None:
    code = "".join((ROOT / "telemetry" / name).read_text() for name in ("wire.py", "topics.py", "messages.py"))
    reasons = set(re.findall(r'WireError\("(\w+)"', code))
    assert {"crc", "row", "topic"} <= reasons
    refusals = (DOCS / "wire.md").read_text().split("## Refusals")[1]
    assert reasons <= set(re.findall(r"`(\w+)`", refusals))


def sections(page: str) -> dict[str, str]:
    """The text below each second-level heading of a page."""
    return dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, re.M | re.S))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_with_an_example(name: str) -> None:
    section = sections(docs.commands_page())[f"memfleet {name}"]
    assert re.search(rf"^Example:\n\n    memfleet {name}\b", section, re.M), f"the help of {name} has no example"
    assert not re.search(r"\[/?bold\]", section)
    assert not re.findall(r"^- `--?\S+( [A-Z_]+)?` *$", section, re.M), f"an option of {name} says nothing"
