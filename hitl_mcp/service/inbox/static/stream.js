// The stream of changes, shared by the inbox's tabs: one tab holds it and tells the others, because a browser keeps at
// most six connections to a host, and a seventh tab would hang. The service is heard every 15 seconds; who hears nothing
// for 40 is not live, says so, and begins anew: after a sleep, a lost network, or when the tab that holds the stream
// was frozen.

const KINDS = ["change", "count", "ping"];
const RETRY_MS = 3000;
const SILENT_MS = 40_000;
const WATCH_MS = 5000;

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
  let heard = Date.now();

  function hear(kind, data) {
    heard = Date.now();
    if (kind === "state") return become(data);
    if (state === "lost") {
      become("live"); // what speaks is there; what it said meanwhile was missed
      onEvent("ready", {});
    }
    if (kind !== "ping") onEvent(kind, data);
  }

  function become(next) {
    if (next === state) return;
    state = next;
    onState(state);
  }

  function tell(kind, data) {
    hear(kind, data);
    channel?.postMessage({ kind, data });
  }

  function open() {
    clearTimeout(timer);
    source?.close();
    const mine = (source = new EventSource("/live"));
    source.addEventListener("ready", (event) => {
      tell("state", "live");
      tell("ready", JSON.parse(event.data));
    });
    for (const kind of KINDS) source.addEventListener(kind, (event) => tell(kind, JSON.parse(event.data)));
    source.addEventListener("signed-out", () => {
      mine.close();
      tell("state", "signed-out");
    });
    source.addEventListener("error", () => mine === source && lost());
  }

  async function lost() {
    if (state !== "signed-out") tell("state", "lost");
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    clearTimeout(timer);
    const answer = await fetch("/", { method: "HEAD" }).catch(() => null);
    if (answer?.status === 401) tell("state", "signed-out");
    else timer = setTimeout(open, RETRY_MS);
  }

  /** Take the stream over; a tab that was frozen with it notices when it wakes up, and lets go. */
  function lead(options) {
    navigator.locks
      .request("hitl-live", options, () => {
        leads = true;
        open();
        return new Promise(() => {}); // held until the tab is closed
      })
      .catch(() => {
        leads = false;
        source?.close();
        lead({});
      });
  }

  function watch() {
    if (state === "signed-out" || Date.now() - heard < SILENT_MS) return;
    heard = Date.now(); // one try at a time
    become("lost");
    if (leads || !navigator.locks || !channel) open();
    else if (!document.hidden) lead({ steal: true });
  }

  function wake() {
    if (document.hidden) return;
    watch();
    if (state === "lost" && (leads || !channel)) open();
  }

  channel?.addEventListener("message", ({ data: { kind, data } }) => {
    if (kind !== "hello") return hear(kind, data);
    if (!leads) return;
    if (state === "live") channel.postMessage({ kind: "state", data: state });
    else open(); // a new tab may mean that the person has signed in again
  });
  channel?.postMessage({ kind: "hello" });
  setInterval(watch, WATCH_MS);
  addEventListener("online", wake);
  addEventListener("pageshow", wake);
  addEventListener("offline", () => state === "live" && !location.hostname.endsWith("localhost") && become("lost"));
  document.addEventListener("visibilitychange", wake);

  if (channel && navigator.locks) lead({});
  else open();
}
