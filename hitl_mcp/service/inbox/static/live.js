// Keeps the open page true: swaps the list, and tells when the request on the screen changed. Never touches a form.

import { listen } from "./stream.js";
import { text } from "./texts.js";

const WORDS = { live: "live", lost: "lost", "signed-out": "signedOut" };
const AGAIN_MS = 60_000;
const LOOK_MS = 10_000;
const RETRY_MS = 2000;
const light = document.getElementById("live");
const news = document.getElementById("news");
const onList = document.getElementById("requests") !== null;
let running = false;
let wanted = false;
let lookedAt = Date.now();

function showState(state) {
  light.hidden = false;
  light.dataset.state = state;
  light.textContent = text(WORDS[state]);
  if (state !== "signed-out") return;
  const link = Object.assign(document.createElement("a"), { href: "/", target: "_blank", textContent: text("signIn") });
  light.append(". ", link);
}

/** In the title, and on the icon of the installed app. */
function showCount(open) {
  if (typeof open !== "number") return;
  const bare = document.title.replace(/^\(\d+\) /, "");
  document.title = open > 0 ? `(${open}) ${bare}` : bare;
  const badge = open > 0 ? navigator.setAppBadge?.(open) : navigator.clearAppBadge?.();
  badge?.catch(() => {}); // not installed, or not allowed
}

/** The page as the service would show it now; nothing when it cannot be had, and then it is asked for again. */
async function fresh(url) {
  const until = AbortSignal.timeout(LOOK_MS);
  const answer = await fetch(url, { headers: { Accept: "text/html" }, signal: until }).catch(() => null);
  if (answer?.status === 401) showState("signed-out");
  const words = answer?.ok ? await answer.text().catch(() => null) : null;
  const passes = !answer || answer.status >= 500 || (answer.ok && words === null);
  if (passes) setTimeout(look, RETRY_MS);
  return words === null ? null : new DOMParser().parseFromString(words, "text/html");
}

/** What is read stays where it is: the first line in sight, the focus, and what was unfolded. */
function swap(old, next) {
  const focused = document.activeElement;
  const unfolded = [...old.querySelectorAll("details[open][id]")].map((it) => it.id);
  const seen = [...old.querySelectorAll("a.line")].find((it) => it.getBoundingClientRect().top > 0);
  const top = seen?.getBoundingClientRect().top ?? 0;
  old.replaceWith(document.adoptNode(next));
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
  const moved = scrollY > 0 && seen ? document.getElementById(seen.id) : null;
  if (moved) scrollBy({ top: moved.getBoundingClientRect().top - top, behavior: "instant" });
  if (!focused || focused === document.body || focused.isConnected) return;
  const href = focused.getAttribute("href");
  const again = document.getElementById(focused.id) ?? [...next.querySelectorAll("a")].find((it) => it.getAttribute("href") === href);
  again?.focus({ preventScroll: true });
}

async function refreshList() {
  const page = await fresh(location.href);
  const next = page?.getElementById("requests");
  if (!next) return;
  swap(document.getElementById("requests"), next);
  showCount(Number(next.dataset.open));
}

async function checkRequest() {
  const shown = document.getElementById("main");
  if (!shown.dataset.url) return;
  const now = (await fresh(shown.dataset.url))?.getElementById("main");
  if (!now) return;
  const changed = now.dataset.state !== shown.dataset.state;
  if (changed && shown.dataset.held) return location.reload();
  if (changed) news.querySelector("[data-words]").textContent = now.dataset.news;
  news.hidden = !changed;
}

/** One look at a time, and one more when something happened meanwhile. */
async function look() {
  wanted = true;
  if (running) return;
  running = true;
  while (wanted) {
    wanted = false;
    lookedAt = Date.now();
    await (onList ? refreshList() : checkRequest());
  }
  running = false;
}

function onEvent(kind, data) {
  if (kind === "ready" || kind === "count") showCount(data.open);
  const mine = document.getElementById("main").dataset.url === `/requests/${data.request_id}`;
  if (kind === "ready" || (kind === "change" && (onList || mine))) look();
}

/** Time passes too: what was in time is overdue, and after a sleep everything is old. */
function lookAgain() {
  if (!document.hidden && onList && Date.now() - lookedAt >= AGAIN_MS) look();
}

if (light) {
  listen(onEvent, showState);
  setInterval(lookAgain, 5000);
  document.addEventListener("visibilitychange", lookAgain);
  if (document.querySelector("main.wall")) {
    const keepAwake = () => document.hidden || navigator.wakeLock?.request("screen").catch(() => {});
    document.addEventListener("visibilitychange", keepAwake);
    keepAwake();
  }
}
