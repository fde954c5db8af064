// Time left, in the words of words.py; how many characters are left in a field; and when a claim is about to end.

import { text } from "./texts.js";

const SOON_MS = 5 * 60_000;
const CLAIM_SOON_MS = 2 * 60_000;

function span(seconds) {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(seconds / 3600);
  if (seconds < 60) return text("seconds", { seconds });
  if (minutes < 5) return text("both", { minutes, seconds: seconds % 60 });
  if (hours < 1) return text("minutes", { minutes });
  if (hours < 10) return text("hoursMinutes", { hours, minutes: minutes % 60 });
  return hours < 48 ? text("hours", { hours }) : text("days", { days: Math.floor(hours / 24) });
}

function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function leftOf(moment) {
  return Date.parse(moment) - Date.now();
}

function tick() {
  for (const element of document.querySelectorAll("[data-deadline]")) {
    const left = leftOf(element.dataset.deadline);
    say(element, left > 0 ? text("in", { span: span(Math.floor(left / 1000)) }) : text("over"));
    element.classList.toggle("soon", left > 0 && left < SOON_MS);
    element.classList.toggle("overdue", left <= 0);
  }
  for (const element of document.querySelectorAll("[data-claim]")) {
    const left = leftOf(element.dataset.claim);
    say(element, left > 0 ? `(${text("in", { span: span(Math.floor(left / 1000)) })})` : "");
    if (left >= CLAIM_SOON_MS) continue;
    const warning = document.getElementById("claim-warning");
    warning.hidden = false;
    say(warning, left > 0 ? element.dataset.soon : element.dataset.over);
    document.getElementById("claim-longer").hidden = false;
  }
  for (const element of document.querySelectorAll("[data-until]")) {
    const left = Math.ceil(leftOf(element.dataset.until) / 1000);
    say(element, left > 0 ? text("seconds", { seconds: left }) : "");
    if (left > 0 || element.dataset.done) continue;
    element.dataset.done = "true";
    element.dispatchEvent(new Event("over", { bubbles: true }));
  }
}

function count(counter) {
  const field = document.getElementById(counter.dataset.counter);
  const used = [...field.value].length; // as the service counts: by character, not by UTF-16 unit
  const most = Number(field.dataset.max);
  counter.hidden = used === 0;
  const language = document.documentElement.lang;
  say(counter, text("characters", { used: used.toLocaleString(language), most: most.toLocaleString(language) }));
  counter.classList.toggle("over", used > most);
}

for (const counter of document.querySelectorAll("[data-counter]")) {
  document.getElementById(counter.dataset.counter).addEventListener("input", () => count(counter));
  count(counter);
}
tick();
setInterval(tick, 1000);
