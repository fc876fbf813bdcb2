"""The documentation says what the program does: generated parts are fresh, links lead somewhere, examples load."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from planoctl.config.pipeline import load_document

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_are_what_the_program_says_now() -> None:
    stale = [path.name for path, text in builder().documents().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `make docs`"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_relative_links_lead_to_files(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8")):
        assert "://" in target or (document.parent / target).exists(), target


def test_the_configuration_of_the_readme_is_valid() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"<!-- validated -->\n```yaml\n(.*?)```", text, re.DOTALL)
    environment = {"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b"}
    loaded = load_document(yaml.safe_load(example), environment=environment)
    assert [warning.message for warning in loaded.warnings] == []
