// Has this browser told of requests also when no page is open, and suggests its time zone. The page works without it.

const state = document.getElementById("push-state");
const form = document.getElementById("push-form");
const zone = document.getElementById("time_zone");

function say(name, why = "") {
  state.textContent = state.dataset[name].replace("{why}", why);
  form.hidden = name !== "ready" && name !== "failed";
}

function bytes(base64url) {
  const text = atob(base64url.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** What the page says first: whether this browser can be notified, and whether it is already. */
async function look() {
  if (!window.isSecureContext) return say("insecure");
  if (!("serviceWorker" in navigator && "PushManager" in window)) return say("unsupported");
  if (Notification.permission === "denied") return say("denied");
  const worker = await navigator.serviceWorker.register("/sw.js");
  const known = await worker.pushManager.getSubscription();
  say(known && Notification.permission === "granted" && document.querySelector("[data-push]") ? "on" : "ready");
}

async function subscribe(event) {
  event.preventDefault();
  if ((await Notification.requestPermission()) !== "granted") return say("denied");
  try {
    const worker = await navigator.serviceWorker.ready;
    const wanted = { userVisibleOnly: true, applicationServerKey: bytes(state.dataset.key) };
    await (await worker.pushManager.getSubscription())?.unsubscribe();
    form.elements.subscription.value = JSON.stringify(await worker.pushManager.subscribe(wanted));
  } catch (error) {
    return say("failed", error.message);
  }
  form.submit();
}

form.addEventListener("submit", subscribe);
look().catch((error) => say("failed", error.message));

const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone.value === "" && [...zone.options].some((option) => option.value === here)) zone.value = here;
