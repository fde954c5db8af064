// One key for each thing a person does here. Never while they type; single keys can be turned off (WCAG 2.1.4). No key
// decides by itself: choosing and sending are two.

import { text } from "./texts.js";

const STORED = "hitl-keys";
const SECOND_MS = 1500;
const dialog = document.getElementById("keys");
const opener = document.getElementById("keys-open");
const form = document.getElementById("answer-form");
const places = { i: "/", h: "/history" };
const decisions = { a: "approve", r: "reject", n: "needs_changes" };
let waitsForSecond = 0;

function isOn() {
  try {
    return localStorage.getItem(STORED) !== "off";
  } catch {
    return true;
  }
}

function isTyping(element) {
  return element.closest?.("textarea, select, [contenteditable], input:not([type=radio], [type=checkbox])");
}

function visible(selector) {
  return [...document.querySelectorAll(selector)].filter((element) => element.checkVisibility());
}

function move(by) {
  const lines = visible(".requests a[href^='/requests/'], .closed .line");
  const at = lines.indexOf(document.activeElement);
  const next = lines[at < 0 ? (by > 0 ? 0 : lines.length - 1) : at + by];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
  return Boolean(next);
}

function press(selector) {
  const element = visible(selector)[0];
  element?.click();
  return Boolean(element);
}

function focus(element) {
  element?.focus();
  return Boolean(element);
}

function choose(control) {
  if (!control) return false;
  control.focus();
  if (control.type === "checkbox") control.checked = !control.checked;
  else if (control.type === "radio") control.checked = true;
  else return mark(control);
  control.dispatchEvent(new Event("input", { bubbles: true }));
  return true;
}

/** A button that decides is only chosen; Enter or Ctrl+Enter sends. */
function mark(button) {
  for (const other of form.querySelectorAll("button.chosen")) other.classList.remove("chosen");
  button.classList.add("chosen");
  return true;
}

function choices() {
  return form ? [...form.querySelectorAll(".yours :is(button[name=answer], input:is([type=radio], [type=checkbox])), button[name=answer]")] : [];
}

function send() {
  const at = document.activeElement;
  const buttons = [...form.querySelectorAll("button[name=answer]")];
  if (!buttons.length) return form.requestSubmit(form.querySelector("button.send"));
  const chosen = buttons.find((button) => button === at) ?? form.querySelector("button.chosen");
  if (chosen) return form.requestSubmit(chosen);
  const hint = document.getElementById("choose-first");
  hint.textContent = text("choose");
  hint.hidden = false;
  buttons[0].focus();
}

function onKey(key) {
  if (waitsForSecond > Date.now()) {
    waitsForSecond = 0;
    if (places[key]) return location.assign(places[key]), true;
  }
  if (key === "g") return (waitsForSecond = Date.now() + SECOND_MS), true;
  if (key === "?") return dialog.showModal(), true;
  if (key === "/") return focus(document.getElementById("search"));
  if (key === "j") return move(1);
  if (key === "k") return move(-1);
  if (key === "o") return document.activeElement.matches("a.line, .alike a") ? (document.activeElement.click(), true) : press("[data-key=o]");
  if (key === "u") return press("[data-key=u]");
  if (key === "c") return press("[data-key=c]");
  if (key === "t") return focus(form?.querySelector("textarea, input:is([type=text], [type=number], [type=email])"));
  if (decisions[key]) return choose(choices().find((it) => it.matches(`button[value=${decisions[key]}]`)));
  if (/^[1-9]$/.test(key)) return choose(choices()[Number(key) - 1]);
  return false;
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    if (!form?.contains(event.target) && isTyping(event.target)) return;
    if (form) event.preventDefault(), send();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (isOn() && onKey(event.key)) event.preventDefault();
});

if (dialog) {
  const tick = document.getElementById("keys-on");
  tick.checked = isOn();
  tick.addEventListener("change", () => localStorage.setItem(STORED, tick.checked ? "on" : "off"));
  opener.hidden = false;
  opener.addEventListener("click", () => dialog.showModal());
}
