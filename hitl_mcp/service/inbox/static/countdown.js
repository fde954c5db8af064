// Time left, in the words of words.py, and how many characters are left in a field.

const SOON_MS = 5 * 60_000;

function span(seconds) {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(seconds / 3600);
  if (seconds < 60) return `${seconds} s`;
  if (minutes < 5) return `${minutes} min ${seconds % 60} s`;
  if (hours < 1) return `${minutes} min`;
  if (hours < 10) return `${hours} h ${minutes % 60} min`;
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

function tick() {
  for (const element of document.querySelectorAll("[data-deadline]")) {
    const left = Date.parse(element.dataset.deadline) - Date.now();
    const words = left > 0 ? `in ${span(Math.floor(left / 1000))}` : "overdue: it can no longer be answered";
    if (element.textContent !== words) element.textContent = words;
    element.classList.toggle("soon", left > 0 && left < SOON_MS);
    element.classList.toggle("overdue", left <= 0);
  }
}

function count(counter) {
  const field = document.getElementById(counter.dataset.counter);
  const used = [...field.value].length; // as the service counts: by character, not by UTF-16 unit
  const most = Number(field.dataset.max);
  counter.hidden = used === 0;
  counter.textContent = `${used.toLocaleString("en")} of ${most.toLocaleString("en")} characters`;
  counter.classList.toggle("over", used > most);
}

for (const counter of document.querySelectorAll("[data-counter]")) {
  document.getElementById(counter.dataset.counter).addEventListener("input", () => count(counter));
  count(counter);
}
tick();
setInterval(tick, 1000);
