// Keeps the open page true: swaps the list, and tells when the request on the screen changed. Never touches a form.

import { listen } from "./stream.js";

const WORDS = { live: "Live", lost: "Not live: trying again", "signed-out": "Signed out" };
const light = document.getElementById("live");
const news = document.getElementById("news");
const onList = document.body.dataset.page === "list";
let running = false;
let wanted = false;

function showState(state) {
  light.hidden = false;
  light.dataset.state = state;
  light.textContent = WORDS[state];
  if (state !== "signed-out") return;
  const link = Object.assign(document.createElement("a"), { href: "/", target: "_blank", textContent: "Sign in again" });
  light.append(". ", link);
}

function showCount(open) {
  if (typeof open !== "number") return;
  const bare = document.title.replace(/^\(\d+\) /, "");
  document.title = open > 0 ? `(${open}) ${bare}` : bare;
}

/** The page as the service would show it now; nothing when it cannot be had. */
async function fresh(url) {
  const answer = await fetch(url, { headers: { Accept: "text/html" } }).catch(() => null);
  if (answer?.status === 401) showState("signed-out");
  if (!answer?.ok) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

async function refreshList() {
  const page = await fresh("/");
  const next = page?.getElementById("requests");
  if (!next) return;
  const focused = document.activeElement?.id;
  document.getElementById("requests").replaceWith(document.adoptNode(next));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  showCount(Number(next.dataset.open));
}

async function checkRequest() {
  const shown = document.getElementById("main");
  if (!shown.dataset.url) return;
  const now = (await fresh(shown.dataset.url))?.getElementById("main");
  if (!now) return;
  const changed = now.dataset.state !== shown.dataset.state;
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
    await (onList ? refreshList() : checkRequest());
  }
  running = false;
}

function onEvent(kind, data) {
  if (kind === "ready" || kind === "count") showCount(data.open);
  const mine = document.getElementById("main").dataset.url === `/requests/${data.request_id}`;
  if (kind === "ready" || (kind === "change" && (onList || mine))) look();
}

if (light) listen(onEvent, showState);
