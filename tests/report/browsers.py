# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A page opened and looked at: by Python's own parser, and by each Chromium of this machine."""

import base64
import contextlib
import dataclasses
import functools
import html
import html.parser
import http.server
import io
import json
import pathlib
import re
import shutil
import subprocess
import threading

from PIL import Image

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--window-size=1280,900", "--virtual-time-budget=20000"),
    *("--enable-logging=stderr", "--v=0", "--dump-dom"),
)
# Looks at the page from outside: the page's own policy forbids any script but its own.
_WATCHER = """<!DOCTYPE html><title>watcher</title><link rel="icon" href="data:,">
<iframe src="page.html" width="1200" height="800"></iframe><pre></pre><script>
const frame = document.querySelector("iframe");
frame.onload = () => {
  const page = frame.contentDocument;
  page.querySelectorAll("details").forEach((details) => { details.open = true; });
  const readouts = [...page.querySelectorAll(".chart")].map((chart) => {
    const svg = chart.querySelector("svg");
    const box = svg.getBoundingClientRect();
    const read = () => chart.querySelector("output").textContent;
    const rest = read();
    const first = JSON.parse(svg.dataset.points)[0][0];
    const clientX = box.left + (first / svg.viewBox.baseVal.width) * box.width;
    const pointer = (name) => svg.dispatchEvent(new PointerEvent(name, { clientX }));
    pointer("pointermove");
    const hovered = read();
    svg.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
    const moved = read();
    pointer("pointerleave");
    return [rest, hovered, moved, read()];
  });
  document.querySelector("pre").textContent = JSON.stringify({
    title: page.title,
    text: page.body.innerText,
    pictures: [...page.images].map((image) => image.complete && image.naturalWidth > 0),
    misaligned: [...page.querySelectorAll("table")].flatMap((table) => {
      const sides = (row) => [...row.cells].map(
        (cell) => frame.contentWindow.getComputedStyle(cell).textAlign.replace("start", "left"));
      const [head, ...rows] = [...table.rows].map(sides);
      const texts = [...table.rows[0].cells].map((cell) => cell.innerText);
      return texts.filter((_, place) => rows.some((row) => row[place] !== head[place]));
    }),
    widths: [...page.querySelectorAll(".chart svg")].map(
      (svg) => svg.getBoundingClientRect().width),
    overflow: page.documentElement.scrollWidth - page.documentElement.clientWidth,
    readouts,
  });
};
</script>"""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What there was to see.

    Attributes:
        title: of the page.
        text: that a person reads, folded parts opened, without any white space.
        pictures: for each, whether it was loaded.
        requests: addresses that the page asked for.
        console: what the browser complained about.
        readouts: for each curve its value at rest, under the pointer at the first point, one
            arrow key further, and at rest again; None without a browser.
        misaligned: headings of columns that stand on another side than what is below them; None
            without a browser.
        widths: of the curves, in pixels; None without a browser.
        overflow: pixels by which the page is wider than its window; None without a browser.
    """

    title: str
    text: str
    pictures: list[bool]
    requests: list[str]
    console: list[str]
    readouts: list[list[str]] | None = None
    misaligned: list[str] | None = None
    widths: list[float] | None = None
    overflow: int | None = None


def openers():
    """Returns everything that can open a page here, by name; the parser is always among it."""
    found = {"parser": _parse}
    for name in _NAMES:
        path = shutil.which(name)
        if path:
            found[name] = functools.partial(_browse, path)
    return found


def squeezed(text):
    """Returns a text without its white space, of which layout makes its own."""
    return "".join(text.split())


class _Parser(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.texts, self.titles = [], [], []
        self.sources, self.code = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in {"img", "meta", "link", "wbr", "br"}:
            self.open.append(tag)
        self.sources += [value for name, value in attrs if name in {"src", "href", "srcset"}]
        self.code += [value for name, value in attrs if name.startswith("on")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> does not close what is open"

    def handle_data(self, data):
        inside = self.open[-1] if self.open else ""
        if inside == "title":
            self.titles.append(data)
        elif inside in {"style", "script"}:
            self.sources += re.findall(r"url\((.*?)\)|@import (.*?);|fetch\((.*?)\)", data)
        else:
            self.texts.append(data)


def _parse(path, unused_folder):
    parser = _Parser()
    parser.feed(pathlib.Path(path).read_text(encoding="utf-8"))
    parser.close()
    assert not parser.open, f"never closed: {parser.open}"
    embedded = [source for source in parser.sources if str(source).startswith("data:")]
    return Seen(
        title="".join(parser.titles),
        text=squeezed("".join(parser.texts)),
        pictures=[_is_picture(source) for source in embedded if source != "data:,"],
        requests=[source for source in parser.sources if source not in embedded],
        console=parser.code,
    )


def _is_picture(source):
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as picture:
        picture.load()
        return picture.width > 0


def _browse(browser, path, folder):
    shutil.copy(path, folder / "page.html")
    (folder / "watcher.html").write_text(_WATCHER, encoding="utf-8")
    with _serve(folder) as (address, requests):
        done = subprocess.run(
            [browser, *_FLAGS, f"--user-data-dir={folder / 'profile'}", f"{address}/watcher.html"],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    found = re.search(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    assert found and found[1], f"the page was not seen: {done.stdout}\n{done.stderr}"
    seen = json.loads(html.unescape(found[1]))
    return Seen(
        **(seen | {"text": squeezed(seen["text"])}),
        requests=sorted(set(requests) - {"/watcher.html", "/page.html"}),
        console=[line for line in done.stderr.splitlines() if "CONSOLE" in line],
    )


@contextlib.contextmanager
def _serve(folder):
    """Serves a folder on this machine alone; yields the address and the growing list of paths."""
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *unused):
            requests.append(self.path)

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", requests
        finally:
            server.shutdown()
            thread.join()
