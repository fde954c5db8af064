// What somebody has typed is kept in this tab until it is sent: through a reload, and through a session that ended.

const KEY = "hitl-draft";
const OURS = new Set(["token", "revision"]);

function entriesOf(form) {
  return [...new FormData(form)].filter(([name, value]) => !OURS.has(name) && typeof value === "string");
}

function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // full, or not allowed here: the page works without
  }
}

function fill(form, entries) {
  const named = Map.groupBy ? Map.groupBy(entries, ([name]) => name) : grouped(entries);
  for (const control of form.elements) {
    if (!control.name || OURS.has(control.name) || control.type === "hidden" || control.type === "submit") continue;
    const values = (named.get(control.name) ?? []).map(([, value]) => value);
    if (control.type === "radio" || control.type === "checkbox") control.checked = values.includes(control.value);
    else control.value = values.at(-1) ?? "";
    control.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

function grouped(entries) {
  const found = new Map();
  for (const entry of entries) found.set(entry[0], [...(found.get(entry[0]) ?? []), entry]);
  return found;
}

/** A question to the agent or a note that was sent is no draft any more; the rest of the form still is. */
function unsent(name, value, gone, fresh) {
  if (!gone.includes(name)) return [[name, value]];
  return fresh.has(name) ? [[name, fresh.get(name)]] : [];
}

/**
 * @param {string} about what the draft belongs to: the page and the person
 * @param {HTMLFormElement | null} form where it is typed; none when the request is closed
 * @param {HTMLElement} note says that a draft was restored or not sent, and can discard it
 */
export function keep(about, form, note) {
  const key = `${KEY}:${about}`;
  const draft = read(key);
  const words = note.querySelector("[data-words]");
  const hide = () => {
    write(key, null);
    note.hidden = true;
  };
  note.querySelector("button").addEventListener("click", () => {
    hide();
    form?.reset();
    form?.dispatchEvent(new Event("input"));
    write(key, null);
  });
  if (!form) {
    if (draft && !draft.sent && draft.entries.some(([, value]) => value)) {
      words.textContent = `${note.dataset.unsent} ${draft.entries.map(([, value]) => value).filter(Boolean).join(" · ")}`;
      note.hidden = false;
    } else if (!document.querySelector("[data-held]")) write(key, null); // an answer that can be taken back may return
    return;
  }
  const fresh = new Map(entriesOf(form));
  const plain = JSON.stringify(entriesOf(form));
  const refused = document.querySelector("section.notice[role=alert]");
  // the page that a form leads to, and not one that is opened again after the session had ended
  const isReply =
    location.pathname !== document.querySelector("main").dataset.url ||
    performance.getEntriesByType("navigation")[0]?.redirectCount > 0;
  if (draft?.gone && isReply && !refused) {
    draft.entries = draft.entries.flatMap(([name, value]) => unsent(name, value, draft.gone, fresh));
    write(key, JSON.stringify(draft.entries) === plain ? null : { entries: draft.entries });
  }
  if (draft && JSON.stringify(draft.entries) !== plain && !refused) {
    fill(form, draft.entries);
    words.textContent = note.dataset.restored;
    note.hidden = false;
  }
  form.addEventListener("input", () => {
    const entries = entriesOf(form);
    write(key, JSON.stringify(entries) === plain ? null : { entries });
  });
  form.addEventListener("submit", (event) => {
    const isAnswer = !event.submitter?.hasAttribute("formaction");
    if (isAnswer) write(key, { entries: entriesOf(form), sent: true });
    const part = event.submitter?.closest("details");
    const gone = [...(part?.querySelectorAll("[name]") ?? [])].map((control) => control.name);
    if (gone.length && read(key)) write(key, { entries: entriesOf(form), gone });
  });
}

/** Whoever signs out leaves nothing behind. */
export function forgetAll() {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(`${KEY}:`)) sessionStorage.removeItem(key);
}
