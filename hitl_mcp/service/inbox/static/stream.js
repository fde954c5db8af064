// The stream of changes, shared by the inbox's tabs: one tab holds it and tells the others, because a browser keeps at
// most six connections to a host, and a seventh tab would hang.

const KINDS = ["change", "count"];
const RETRY_MS = 3000;

/**
 * @param {(kind: string, data: object) => void} onEvent `ready` (look again, something may have been missed), `change`, `count`
 * @param {(state: string) => void} onState `live`, `lost`, `signed-out`
 */
export function listen(onEvent, onState) {
  const channel = "BroadcastChannel" in window ? new BroadcastChannel("hitl-live") : null;
  let leads = false;
  let state = "connecting";
  let source = null;
  let timer = 0;

  function hear(kind, data) {
    if (kind !== "state") return onEvent(kind, data);
    if (data === state) return;
    state = data;
    onState(state);
  }

  function tell(kind, data) {
    hear(kind, data);
    channel?.postMessage({ kind, data });
  }

  function open() {
    clearTimeout(timer);
    source?.close();
    source = new EventSource("/live");
    source.addEventListener("ready", (event) => {
      tell("state", "live");
      tell("ready", JSON.parse(event.data));
    });
    for (const kind of KINDS) source.addEventListener(kind, (event) => tell(kind, JSON.parse(event.data)));
    source.addEventListener("signed-out", () => {
      source.close();
      tell("state", "signed-out");
    });
    source.addEventListener("error", lost);
  }

  async function lost() {
    if (state !== "signed-out") tell("state", "lost");
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    clearTimeout(timer);
    const answer = await fetch("/", { method: "HEAD" }).catch(() => null);
    if (answer?.status === 401) tell("state", "signed-out");
    else timer = setTimeout(open, RETRY_MS);
  }

  channel?.addEventListener("message", ({ data: { kind, data } }) => {
    if (kind !== "hello") return hear(kind, data);
    if (!leads) return;
    if (state === "live") channel.postMessage({ kind: "state", data: state });
    else open(); // a new tab may mean that the person has signed in again
  });
  channel?.postMessage({ kind: "hello" });

  if (channel && navigator.locks) {
    navigator.locks.request("hitl-live", () => {
      leads = true;
      open();
      return new Promise(() => {}); // held until the tab is closed
    });
  } else {
    open();
  }
}
