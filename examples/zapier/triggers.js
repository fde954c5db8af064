// REST hooks: Zapier subscribes when a Zap is switched on, and unsubscribes when it is switched off.
const { createHmac, timingSafeEqual } = require("node:crypto");

const api = (bundle, path) => `${bundle.authData.base_url.replace(/\/+$/, "").replace(/\/v1$/, "")}/v1/api${path}`;

const subscribe = (event) => async (z, bundle) => {
  const body = { url: bundle.targetUrl, events: [event], description: "Zapier" };
  if (bundle.inputData.loop_id) body.loop_id = bundle.inputData.loop_id;
  const response = await z.request({ url: api(bundle, "/webhooks"), method: "POST", body });
  const { id, secret } = response.data.data.webhook;
  return { id, secret }; // kept as bundle.subscribeData
};

const unsubscribe = async (z, bundle) => {
  const response = await z.request({ url: api(bundle, `/webhooks/${bundle.subscribeData.id}`), method: "DELETE" });
  return response.data;
};

// Zapier keeps the id of what it has seen, so an event that comes twice starts one Zap
const item = (body) => ({ id: body.event_id, ...body });

const receive = (z, bundle) => {
  const { headers, content } = bundle.rawRequest;
  const given = Object.entries(headers).find(([name]) => name.toLowerCase().replace(/^http-/, "") === "x-hitl-signature");
  const right = createHmac("sha256", bundle.subscribeData.secret).update(content).digest();
  const sent = Buffer.from(String(given?.[1] ?? ""), "hex");
  if (sent.length !== right.length || !timingSafeEqual(sent, right)) {
    throw new z.errors.HaltedError("The signature is missing or wrong");
  }
  return [item(bundle.cleanedRequest)];
};

const samples = (event) => async (z, bundle) => {
  const response = await z.request({ url: api(bundle, "/hooks/samples"), params: { event } });
  return response.data.data.samples.map(item);
};

const sample = {
  id: "evt_66f1c0a94be2d17c5a3e8b90_2",
  event: "request.completed",
  request_id: "66f1c0a94be2d17c5a3e8b90",
  loop_id: "66f1bf3e0c9d4a7725e1f0aa",
  status: "completed",
  response_data: "Approve",
  decision: "approved",
  response_comment: "Go ahead",
};

const hook = (key, noun, label, description, event) => ({
  key,
  noun,
  display: { label, description },
  operation: {
    type: "hook",
    inputFields: [{ key: "loop_id", label: "Loop", dynamic: "loops.id.name", helpText: "Leave empty for all loops." }],
    performSubscribe: subscribe(event),
    performUnsubscribe: unsubscribe,
    perform: receive,
    performList: samples(event),
    sample: { ...sample, event },
  },
});

const requestCreated = hook(
  "request_created", "Request", "New Request Created", "Triggers when somebody is asked.", "request.created",
);
const requestCompleted = hook(
  "request_completed", "Request", "Request Completed", "Triggers when a person has decided.", "request.completed",
);
const requestEscalated = hook(
  "request_escalated", "Request", "Request Escalated", "Triggers when a request climbs its ladder.", "request.escalated",
);

// for the list of loops in the editor
const loops = {
  key: "loops",
  noun: "Loop",
  display: { label: "List of Loops", description: "Loops that the key reaches.", hidden: true },
  operation: {
    perform: async (z, bundle) => (await z.request({ url: api(bundle, "/loops") })).data.data.loops,
    sample: { id: "66f1bf3e0c9d4a7725e1f0aa", name: "Deployments" },
  },
};

module.exports = { api, loops, requestCompleted, requestCreated, requestEscalated };
