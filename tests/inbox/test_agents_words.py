"""The agent's words cannot dress up as ours (H5, H6, H16): hostile texts through everything an agent can fill in."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import Implementation
from playwright.async_api import Browser

from hitl_mcp.contract.models import ReviewRequest
from tests.inbox.visit import Visit, ask_for, visiting
from tests.world import World, environment, running_service, world

pytestmark = pytest.mark.anyio

HANDLERS = [
    "<script>window.ran = 1; alert(1); console.log('ran')</script>",
    "<img src=x onerror='window.ran = 1'><svg onload='window.ran = 1'><body onload='window.ran = 1'>",
    "<svg><script>window.ran = 1</script></svg><math><style><img src=x onerror='window.ran = 1'></style></math>",
    "<a href='javascript:window.ran = 1' id=answer class=decide style='position:fixed;inset:0'>Approve</a>",
    "</textarea></pre></title></style></script><script>window.ran = 1</script>",
    '"><script>window.ran = 1</script><input autofocus onfocus="window.ran = 1">\' onmouseover=\'window.ran = 1',
    "<details open ontoggle='window.ran = 1'><summary>x</summary></details><video src=x onerror='window.ran = 1'>",
    "{{ 7 * 7 }} {% raw %} ${7*7} <%= 7 * 7 %>",
]
FORMS = [
    "<form action=/sign-out method=post><input name=token><button>Approve</button></form>",
    "<button form=answer-form formaction=https://evil.example/ name=answer value=approve>Reject</button>",
    "<iframe src=/></iframe><frame src=/><object data=/></object><embed src=/><portal src=/></portal>",
    "<base href=https://evil.example/><meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<link rel=stylesheet href=https://evil.example/x.css><style>* { display: none }</style>",
    "<select><option>x</select><label for=comment>x</label><dialog open>x</dialog><template>x</template>",
    "<div id=live class=panel hidden><p id=answer-title class=outcome>You decided Approve",
    "<!-- hidden --><![CDATA[ hidden ]]><?php hidden ?><noscript>hidden</noscript>",
    "<h1>Decision</h1>\n\n# Your decision\n\n<section class=yours>",
]
PICTURES = [
    "![tracker](https://evil.example/pixel.png) ![](https://evil.example/a.svg) ![x](//evil.example/b)",
    "[![inner](https://evil.example/q.png)](https://good.example/) ![d](data:image/svg+xml,<svg onload=alert(1)>)",
    "![ref][pic]\n\n[pic]: https://evil.example/ref.png 'title'\n\n<picture><source srcset=https://evil.example/s></picture>",
    "<audio src=https://evil.example/a autoplay></audio><img srcset='https://evil.example/c 1x'>",
]
LINKS = [
    "[a](javascript:window.ran=1) [b](JaVaScRiPt:window.ran=1) [c](java\tscript:x) [d](&#106;avascript:x)",
    "<javascript:window.ran=1> [e](data:text/html,<script>window.ran=1</script>) [f](vbscript:x) [g](file:///etc/passwd)",
    "[h](blob:x) [i](about:blank) [j](ws://x.example) [k](https://evil.example/@good.example) [l](tel:1) [m](hitl:x)",
    "[n](/sign-out) [o](sign-out) [p](//evil.example/x) [q](#answer) [r](?x) [s](..) [t](\\\\evil.example) [u]()",
    "**[https://bank.example/](https://evil.example/login)** <https://user:pass@evil.example/> <mailto:a@b.example>",
    "[v](https://еvil.example/) [w](https://xn--vil-jma.example/) [x](https://evil.example/%E2%80%AEgpj.exe)",
]
UNCLOSED = [
    "<div><div><p><b><i>", "```\nnever closed <b>", "**bold _both", "[link](https://x.example", "<!-- open",
    "| a |\n|-", "<plaintext>", "<textarea><title><xmp>",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;script&#62; &nbsp;",
]  # fmt: skip
HIDDEN = {
    "\u202e": "U+202E", "\u202d": "U+202D", "\u2066": "U+2066", "\u2069": "U+2069", "\u200e": "U+200E",
    "\u200b": "U+200B", "\u2060": "U+2060", "\ufeff": "U+FEFF", "\u00ad": "U+00AD", "\u180e": "U+180E",
    "\u2028": "U+2028", "\u3164": "U+3164", "\u115f": "U+115F", "\u2800": "U+2800", "\U000e0041": "U+E0041",
    "\U000e0100": "U+E0100", "\ue000": "U+E000", "\x1b": "U+001B", "\x07": "U+0007", "\x7f": "U+007F",
    "\u0085": "U+0085",
}  # fmt: skip
"""Characters that nobody sees and that change what is read, or copied."""
INVISIBLE = "".join(f"a{char}b " for char in HIDDEN)
SEEN = re.compile("[" + "".join(HIDDEN) + "]")
HOSTILE = [*HANDLERS, *FORMS, *PICTURES, *LINKS, *UNCLOSED]

OURS = {"tree", "nested", "text", "literal", "nothing", "details", "context", "label"}
"""Classes that our template, not the agent, gives to the parts of a context."""
TAGS = {"p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "h3", "h4", "h5", "h6",
        "table", "thead", "tbody", "tr", "th", "td", "a", "mark", "dl", "dt", "dd", "div", "span"}  # fmt: skip
ATTRIBUTES = {"href", "rel", "target", "start", "class", "dir"}

FRAME = """() => [...document.querySelectorAll(".said *, details.source *")]
    .map((it) => ({ tag: it.localName, names: it.getAttributeNames(), classes: [...it.classList], rel: it.rel ?? "",
        words: it.innerText, ours: !!it.closest(".context"),
        link: it.hasAttribute("href") ? [it.protocol, it.hostname, it.port, it.target] : null,
        href: it.getAttribute("href") }))"""


@dataclass
class Watched:
    """A page on which nothing of the agent's may run or load."""

    visit: Visit
    wrong: list[str] = field(default_factory=list[str])

    async def is_harmless(self) -> None:
        """Nothing ran, nothing was loaded, and the agent's frame holds no more than formatted text."""
        page = self.visit.page
        assert await page.evaluate("window.ran") is None, "a script of the agent ran"
        assert not self.wrong, self.wrong
        for it in await page.evaluate(FRAME):
            assert it["tag"] in TAGS | {"summary"}, f"<{it['tag']}> stands in the agent's frame"
            assert set(it["names"]) <= ATTRIBUTES, f"<{it['tag']}> has {it['names']}"
            assert set(it["classes"]) <= OURS and (it["ours"] or not set(it["classes"]) - {"details", "context"}), it
            assert it["tag"] != "a" or it["link"] is not None, f"a link without its address: {it['words']}"
            if it["link"] is not None:
                protocol, host, port, target = it["link"]
                assert protocol in ("http:", "https:", "mailto:") and target == "_blank", it
                assert {"noopener", "noreferrer", "nofollow"} <= set(it["rel"].split()), it
                assert not self.is_ours(host, port), f"a link leads to us: {it}"
        for part in ("#answer-form", "#known", "#agent", "#answer-title", "#live", "#history", "h1", "main", "header"):
            assert await page.locator(part).count() == 1, f"there is not exactly one {part}"
        shown = await page.inner_text("body")
        assert not SEEN.search(shown.replace("\u2028", "")), "an invisible character is shown as it is"
        assert not SEEN.search(await page.title())

    def is_ours(self, host: str, port: str) -> bool:
        """Whether a host, as the browser has read it, is this machine with our port."""
        here = (
            host == "localhost" or host.endswith(".localhost") or host.startswith(("127.", "0.", "[::1]", "[::ffff:7f"))
        )
        return port == self.visit.host.split(":")[1] and (here or host in ("[::]", "[::ffff:0:0]"))


@asynccontextmanager
async def watching(here: World, chrome: Browser) -> AsyncGenerator[Watched]:
    """A signed-in page that notes whatever an agent should not be able to cause."""
    async with visiting(here.found, chrome) as visit:
        watched = Watched(visit)
        page, wrong = visit.page, watched.wrong
        page.on("dialog", lambda dialog: wrong.append(f"dialog {dialog.message}"))
        page.on("pageerror", lambda error: wrong.append(f"error {error}"))
        page.on("console", lambda line: wrong.append(f"console {line.text}"))
        page.on("popup", lambda other: wrong.append(f"window {other.url}"))
        page.on("download", lambda it: wrong.append(f"download {it.url}"))
        visit.context.on(
            "request",
            lambda sent: None if sent.url.startswith(visit.origin + "/") else wrong.append(f"request {sent.url}"),
        )
        yield watched


async def bar(visit: Visit) -> str:
    """What the page says of itself beside the agent's frame."""
    return " ".join((await visit.page.inner_text(".known")).split())


async def test_hostile_text_stays_text(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, watching(here, chrome) as watched:
        visit = watched.visit
        here.agent.client_name = "Agent <b>7</b>"
        for start in range(0, len(HOSTILE), 4):
            hostile = HOSTILE[start : start + 4]
            text = "\n\n".join(hostile)
            context: dict[str, Any] = {"details": text * 2, **{name: [name, {name: name}] for name in hostile}}
            await visit.open(await ask_for(here, text, context=context))
            await watched.is_harmless()
            known = await bar(visit)
            assert "Loop Default" in known and "Asked by Agent <b>7</b> (the name it gave)" in known
            assert f"{len(text) * 3:,} characters of text, {len(hostile)} context fields" in known
            exact = await visit.page.locator(".source pre").all_text_contents()
            marked = text.replace("еvil", "е Cyrillic U+0435vil")
            assert [part.strip("\n") for part in exact] == [marked.strip("\n"), (marked * 2).strip("\n")]
        await visit.list()
        assert await visit.page.evaluate("window.ran") is None and not watched.wrong


async def test_links_never_lead_to_the_service_however_they_are_spelled(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, watching(here, chrome) as watched:
        port, host = here.found.state.port, watched.visit.host.split(":")[0]
        spelled = [
            f"{name}:{port}" for name in (
                host, host.upper(), f"{host}.", f"a.{host}", "localhost", "LocalHost", "localhost.", "foo.localhost",
                "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001",
                "127.0.0.1.", "127.255.255.254", "0.0.0.0", "0", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]",
                "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "①②⑦.⓪.⓪.①", "ｌｏｃａｌｈｏｓｔ", "loc%61lhost",
                "%6c%6f%63%61%6c%68%6f%73%74",
                "user@localhost", "user:pass@127.0.0.1", "good.example@localhost", "local\u00adhost", "127。0。0。1",
                "localhoſt", "127.0.0.1%00", "loc\talhost", "local\u200bhost", "local\ufe0fhost",
                "ⓛocalhost", "１２７.１", "local%C2%ADhost", "local%E2%80%8Bhost",
                "%EF%BC%91%32%37.1",
            )
        ]  # fmt: skip
        spelled += [f"localhost:0{port}", f"127.0.0.1:{port}\\@good.example", f"localhost:{port}#@good.example"]
        starts = ("http://", "HTTP://", "http:/", "http:", "http:///", "http:\\\\", "//", "\\/")
        addresses = [f"{start}{name}/requests/x" for name in spelled for start in starts]
        refused = 0
        for start in range(0, len(addresses), 60):
            some = addresses[start : start + 60]
            text = "\n".join(f"- [w]({address}) [w](<{address}>) <{address}> ![w](<{address}>)" for address in some)
            await watched.visit.open(await ask_for(here, "Links", context={"details": text}))
            await watched.is_harmless()
            refused += await watched.visit.page.get_by_text("[address: ").count()
        assert refused > 0, "a refused link is shown with its address"
        elsewhere = (
            f"[ok](http://localhost:{port + 1}/) [ok](https://localhost.example:{port}/) [ok](http://8.8.8.8:{port}/)"
        )
        elsewhere += " ![a chart](https://example.com/chart.png)"
        await watched.visit.open(await ask_for(here, elsewhere))
        await watched.is_harmless()
        links = watched.visit.page.locator(".said a")
        assert await links.count() == 4, "other addresses stay links"
        assert await links.last.inner_text() == "image: a chart", "and pictures become links"
        assert f"ok (localhost:{port + 1})" in await watched.visit.page.inner_text(".said"), "and say where they lead"


async def test_invisible_characters_are_seen_wherever_an_agent_can_write(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, watching(here, chrome) as watched:
        visit, page = watched.visit, watched.visit.page
        plain = f"<b>{INVISIBLE}"
        options = [{"value": f"v{INVISIBLE}", "label": f"l{INVISIBLE}", "description": plain}, "Other"]
        forms: list[tuple[str, dict[str, Any], str]] = [
            ("single_select", {"options": options}, ".choice >> nth=0"),
            ("multi_select", {"options": options}, ".choice >> nth=0"),
            ("boolean", {"true_label": f"y{INVISIBLE}"}, "button[name=answer] >> nth=0"),
            ("rating", {"scale_max": 5, "labels": {"1": plain, "max": plain}}, ".steps label >> nth=0"),
            ("rating", {"scale_max": 500, "labels": {"1": plain, "max": plain}}, "#answer-hint"),
        ]
        for response_type, config, where in forms:
            request = await ask_for(
                here, f"Text {INVISIBLE}\n\n`{INVISIBLE}`\n\n[{INVISIBLE}](https://x.example/)",
                response_type=response_type, response_config=config,
                context={"details": plain, f"k{INVISIBLE}": [plain, {"n": plain}]},
            )  # fmt: skip
            await visit.open(request)
            await watched.is_harmless()
            inside = (".context dt >> nth=0", ".context li >> nth=0", ".source pre >> nth=0")
            for part in ("main", ".said", ".details", *inside, where):
                said = await page.locator(part).text_content() or ""
                missing = [code for code in HIDDEN.values() if code not in said]
                assert not missing, f"{part} of {response_type} hides {missing}"

        for response_type, config in (
            ("number", {"max_value": 5, "prefix": "\u202e$", "suffix": "\u200b%", "placeholder": INVISIBLE}),
            ("text", {"placeholder": INVISIBLE}),
            ("editable_text", {"draft_text": INVISIBLE, "placeholder": INVISIBLE}),
        ):
            await visit.open(await ask_for(here, response_type=response_type, response_config=config))
            await watched.is_harmless()
            placeholder = await page.get_attribute("#answer-input", "placeholder")
            assert placeholder is not None and not SEEN.search(placeholder) and "[U+202E]" in placeholder
            if response_type == "number":
                assert "U+202E" in await page.inner_text("#answer-prefix")
                assert "U+200B" in await page.inner_text("#answer-suffix")
            if response_type == "editable_text":
                notice = await page.inner_text("#answer-form .notice")
                assert all(code in notice for code in HIDDEN.values()), (
                    "a field cannot mark them, so it is said beside it"
                )

        await visit.list()
        assert "U+202E" in await page.locator(".card .line").first.inner_text()


async def test_living_scripts_and_emoji_are_left_alone(folder: Path, chrome: Browser) -> None:
    words = "👨‍👩‍👧 ⚠️ 🏳️‍🌈 ♥️ 1️⃣ می‌خواهم क्‍ष שלום עולם é Ωμέγα 漢字"
    async with world(folder) as here, watching(here, chrome) as watched:
        await watched.visit.open(await ask_for(here, words))
        assert await watched.visit.page.locator("mark").count() == 0
        assert words in await watched.visit.page.inner_text(".said")


async def test_whatever_its_length_and_depth_all_of_it_is_shown_and_counted(folder: Path, chrome: Browser) -> None:
    async with world(folder) as here, watching(here, chrome) as watched:
        visit = watched.visit
        deep: Any = "the innermost"
        for level in range(29):
            deep = {f"level {level}": deep} if level % 2 else [deep]
        details = "A line of **details**.\n\n" * 2000 + "the end"
        cases: dict[str, dict[str, Any]] = {
            "long": {"details": details.rjust(50_000, "x")},
            "nested quotes": {"details": ">" * 400 + " the end"},
            "nested lists": {"details": "\n".join("  " * level + f"- x{level}" for level in range(100)) + " the end"},
            "nested emphasis": {"details": "**a *" * 1000 + " the end"},
            "brackets": {"details": "[" * 5000 + "![" * 2000 + " the end"},
            "entities": {"details": "&#8238;" * 1000 + " the end"},
            "deep": {"end": "the end", "deep": deep},
            "many": {"rows": [{"a": number, "<b>": "<i>"} for number in range(5000)], "z": "the end"},
        }
        for name, context in cases.items():
            request = await ask_for(here, "Read all of it", context=context)
            await visit.open(request)
            await watched.is_harmless()
            assert "the end" in await visit.page.inner_text(".said"), name
            known = await bar(visit)
            letters = len("Read all of it") + len(str(context.get("details", "")))
            assert f"{letters:,} characters of text" in known and "Loop Default" in known, name
            if name == "deep":
                assert "the innermost" in await visit.page.inner_text(".said")
            for part in (".known", "#answer", ".agent > h2", ".end"):
                assert await visit.page.locator(part).is_visible(), f"{part} of {name}"
            await decision_is_below_the_words(visit, request)


async def decision_is_below_the_words(visit: Visit, request: ReviewRequest) -> None:
    """H16: the bar with loop, requester and extent stays in sight; the buttons come after the agent's last word."""
    for width, sticky in ((1280, True), (390, False)):
        await visit.page.set_viewport_size({"width": width, "height": 800})
        places = await visit.page.evaluate(
            """() => { const top = (name) => document.querySelector(name).getBoundingClientRect().top;
            return { bar: top(".known"), said: top(".said"), end: top(".end"), answer: top("#answer") } }"""
        )
        assert places["said"] < places["end"] < places["answer"], request.request_text
        assert sticky or places["bar"] < places["said"], "on a phone the bar stands above the words"
        if sticky:
            await visit.page.locator("#answer-title").scroll_into_view_if_needed()
            box = await visit.page.locator(".known").bounding_box()
            assert box is not None and 0 <= box["y"] < 800, "the bar is in sight at the buttons"
    await visit.page.set_viewport_size({"width": 1280, "height": 800})


NAMES = {
    "our own words": "You</dd><dt>Loop</dt><dd>Payroll<img src=x onerror='window.ran=1'>",
    "not ASCII": "Клод 1.0 \u202e–",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_a_client_is_shown_under_the_name_it_gives_and_as_no_more(
    folder: Path, chrome: Browser, name: str
) -> None:
    server = StdioServerParameters(command=sys.executable, args=["-m", "hitl_mcp"], env=environment(folder))
    async with Client(server, client_info=Implementation(name=name, version="1")) as client:
        made = await client.call_tool("request_human_approval", {"action": "Go", "wait_seconds": 0})
        assert not made.is_error, made.content
        async with visiting(await running_service(folder), chrome) as visit:
            await visit.list()
            shown = "".join(char for char in name if char.isprintable())
            assert f"asked by {shown} 1" in await visit.page.inner_text(".card")
            await visit.page.locator(".card .line").click()
            assert f"{shown} 1 (the name it gave)" in await bar(visit)
            assert await visit.page.locator(".known dt", has_text="Loop").count() == 1
            assert await visit.page.evaluate("window.ran") is None
