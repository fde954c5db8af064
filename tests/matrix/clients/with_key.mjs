// Node's --import of a program that has no setting for a key: each HTTP request it makes carries the one in HITL_KEY,
// whether by fetch or undici (the first channel) or by node:http (the second).
import { subscribe } from "node:diagnostics_channel";

const authorization = `Bearer ${process.env.HITL_KEY}`;
subscribe("undici:request:create", ({ request }) => request.addHeader("authorization", authorization));
subscribe("http.client.request.created", ({ request }) => request.setHeader("authorization", authorization));
