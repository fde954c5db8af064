// The TypeScript SDK 2.x, as its users write it.
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { main } from "./story.mjs";

const withKey = ({ headers }) => ({ requestInit: { headers } });
const transports = {
  stdio: ({ command, args, env }) => new StdioClientTransport({ command, args, env }),
  http: (how) => new StreamableHTTPClientTransport(new URL(how.url), withKey(how)),
  sse: (how) => new SSEClientTransport(new URL(how.url), withKey(how)),
};
const adapt = (client) => ({
  tools: async () => (await client.listTools()).tools,
  call: (name, args, options) => client.callTool({ name, arguments: args }, options),
});
const { mode } = JSON.parse(process.argv[2]);

await main(new Client({ name: "typescript-v2", version: "1" }, { versionNegotiation: { mode } }), transports, adapt);
