// Shows what the service pushes while no page is open. It keeps nothing and sees no page's traffic.

const KNOWN = /^\/(requests\/[0-9a-f]{24}|reach|webhooks)?$/;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

async function show(message) {
  const path = KNOWN.test(message.path) ? message.path : "/";
  await self.registration.showNotification(String(message.title), {
    body: String(message.body), tag: String(message.tag), renotify: true, data: { path },
    icon: "/static/icon-192.png", badge: "/static/badge-96.png",
  });
  if (message.open > 0) await self.navigator.setAppBadge?.(message.open);
}

self.addEventListener("push", (event) => {
  let message = { title: "A request waits for you", body: "", tag: "request", path: "/" };
  try {
    message = { ...message, ...event.data.json() };
  } catch {
    // whatever came, a push must show something
  }
  event.waitUntil(show(message));
});

async function open(path) {
  const address = new URL(path, self.location.origin).href;
  const pages = await self.clients.matchAll({ type: "window" });
  const there = pages.find((page) => page.url === address);
  return there ? there.focus() : self.clients.openWindow(address);
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data.path));
});
