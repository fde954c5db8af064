// The TypeScript SDK 1.x, as its users write it.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { main } from "./story.mjs";

const withKey = ({ headers }) => ({ requestInit: { headers } });
const transports = {
  stdio: ({ command, args, env }) => new StdioClientTransport({ command, args, env }),
  http: (how) => new StreamableHTTPClientTransport(new URL(how.url), withKey(how)),
  sse: (how) => new SSEClientTransport(new URL(how.url), withKey(how)),
};
const adapt = (client) => ({
  tools: async () => (await client.listTools()).tools,
  call: (name, args, options) => client.callTool({ name, arguments: args }, undefined, options),
});

await main(new Client({ name: "typescript-v1", version: "1" }), transports, adapt);
