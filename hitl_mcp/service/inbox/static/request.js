// The page of one request: keeps drafts, and enlarges images.

import { forgetAll, keep } from "./drafts.js";
import { text } from "./texts.js";

const main = document.getElementById("main");
keep(`${main.dataset.url}:${main.dataset.person}`, document.getElementById("answer-form"), document.getElementById("draft"));
document.querySelector("form.leave")?.addEventListener("submit", forgetAll);

function enlarge(link) {
  const dialog = Object.assign(document.createElement("dialog"), { className: "enlarged" });
  const image = link.querySelector("img").cloneNode();
  const close = Object.assign(document.createElement("button"), { className: "quiet", textContent: text("close") });
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  dialog.append(close, image);
  document.body.append(dialog);
  dialog.showModal();
}

for (const link of document.querySelectorAll("a.zoom")) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    enlarge(link);
  });
}
document.querySelector("[data-until]")?.addEventListener("over", () => setTimeout(() => location.reload(), 1500));
