#!/usr/bin/env python3
"""Extract plain English prose from the books that the Rust toolchain ships, for scoring/corpus/rust-books.txt.

    scripts/corpus.py "$(rustc --print sysroot)/share/doc/rust/html" > scoring/corpus/rust-books.txt

Keeps the paragraphs of the chapters and drops code blocks, listings, headings, navigation and translations.
A paragraph survives when it reads as prose: at least eight words, few symbols, ends like a sentence.
"""

import html.parser
import pathlib
import re
import sys

BOOKS = ["book", "nomicon", "edition-guide", "embedded-book", "rust-by-example", "cargo", "rustc"]
LIMIT = 1_000_000
PLAIN = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": " - ", "\u2026": "...",
    "\u00a0": " ", "\u2192": "->", "\u00d7": "x",
})


class Prose(html.parser.HTMLParser):
    """Collects the text of <p> elements inside <main>, outside of <pre>, <figure> and <table>."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.paragraphs, self.current, self.main, self.muted = [], None, 0, 0

    def handle_starttag(self, tag, attrs):
        if tag == "main":
            self.main += 1
        elif tag in ("pre", "figure", "table", "script", "style", "nav"):
            self.muted += 1
        elif tag == "p" and self.main and not self.muted:
            self.current = []

    def handle_endtag(self, tag):
        if tag == "main":
            self.main -= 1
        elif tag in ("pre", "figure", "table", "script", "style", "nav"):
            self.muted -= 1
        elif tag == "p" and self.current is not None:
            self.paragraphs.append("".join(self.current))
            self.current = None

    def handle_data(self, data):
        if self.current is not None and not self.muted:
            self.current.append(data)


def prose(text):
    """One clean paragraph, or None when it is not prose."""
    text = re.sub(r"\s+", " ", text.translate(PLAIN)).strip()
    text = text.replace(" - s ", "'s ")
    words = text.split(" ")
    if len(words) < 8 or not text.isascii() or not text[0].isupper() or text[-1] not in '.!?")':
        return None
    odd = sum(c in "_{}<>[]|\\/=&*#@~^$%`" or c.isdigit() for c in text)
    if odd > 0.02 * len(text) or "http" in text or max(map(len, words)) > 24:
        return None
    return text


def main():
    root = pathlib.Path(sys.argv[1])
    seen, size = set(), 0
    for book in BOOKS:
        for page in sorted((root / book).rglob("*.html")):
            relative = page.relative_to(root / book).as_posix()
            if page.name == "print.html" or re.match(r"(es|ja|ko|zh|fr|2018-edition|first-edition|second-edition)/", relative):
                continue
            parser = Prose()
            parser.feed(page.read_text(encoding="utf-8"))
            for paragraph in filter(None, map(prose, parser.paragraphs)):
                if paragraph in seen:
                    continue
                if size + len(paragraph) + 1 > LIMIT:
                    return
                seen.add(paragraph)
                size += len(paragraph) + 1
                print(paragraph)
        print(book, size, file=sys.stderr)


if __name__ == "__main__":
    main()
