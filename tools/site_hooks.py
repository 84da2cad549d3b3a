"""What mkdocs is told for the site of docs/: files of the repository that a page links to are part of it.

SECURITY.md and its like stay where readers of the repository look for them.
The site has them in `project/`.
"""

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = "project"
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")


def _in_repository(page: PurePosixPath, target: str) -> PurePosixPath:
    """The file of the repository that a link on that page of the repository leads to."""
    return PurePosixPath(os.path.normpath(page.parent / target))


def _in_site(path: PurePosixPath) -> PurePosixPath:
    return path.relative_to("docs") if path.is_relative_to("docs") else OUTSIDE / path


def _source(page: str) -> PurePosixPath:
    """Where the repository has a page of the site."""
    path = PurePosixPath(page)
    return path.relative_to(OUTSIDE) if path.is_relative_to(OUTSIDE) else "docs" / path


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add each file that a page links to, and those that these link to."""
    wanted = [PurePosixPath("docs") / file.src_uri for file in files.documentation_pages()]
    wanted += [PurePosixPath(name) for name in ("SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    seen: set[PurePosixPath] = set()
    while wanted:
        path = wanted.pop()
        if path in seen or not (ROOT / path).is_file():
            continue
        seen.add(path)
        if not path.is_relative_to("docs"):
            files.append(File.generated(config, str(_in_site(path)), abs_src_path=str(ROOT / path)))
        if path.suffix == ".md":
            wanted += [_in_repository(path, target) for target in LINK.findall((ROOT / path).read_text())]
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Lead the links of a page to where the site has the file."""
    source = _source(page.file.src_uri)
    here = PurePosixPath(page.file.src_uri).parent

    def led(found: re.Match[str]) -> str:
        target = _in_repository(source, found[1])
        return os.path.relpath(_in_site(target), here) if (ROOT / target).is_file() else found[1]

    return LINK.sub(led, markdown)
