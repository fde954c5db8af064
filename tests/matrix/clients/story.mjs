// The story that every client goes through, as story.py tells it for Python.

const GIVE_UP_MS = 20_000;
const PATIENT_MS = 90_000;

// Ask, and tell what came back. `client` has tools() and call(name, arguments, options).
export async function tell(client) {
  const tools = await client.tools();
  const progress = [];
  const call = (name, args, options = {}) => client.call(name, args, { timeout: PATIENT_MS, ...options });
  const hear = ({ message }) => progress.push(message);
  const approved = await call("request_human_approval", { action: "Approve me", wait_seconds: 60 }, { onprogress: hear });
  const rejected = await call("request_human_approval", { action: "Reject me", wait_seconds: 60 });
  const question = { question: "Answer me", response_type: "number", response_config: { max_value: 10 } };
  const handle = await call("ask_human", { ...question, wait_seconds: 0 });
  const checked = await call("check_request", { request_id: id(handle), wait_seconds: 60 });
  const unwanted = await call("request_human_approval", { action: "Withdraw me", wait_seconds: 0 });
  const withdrawn = await call("cancel_request", { request_id: id(unwanted) });
  const refused = await call("check_request", { request_id: "nonsense" });
  const returned = await giveUp(call);
  const listed = await call("list_requests", {});
  return { tools, progress, approved, rejected, handle, checked, withdrawn, refused, returned, listed };
}

// Leave a call once the server is known to hold it; whether it returned nevertheless.
async function giveUp(call) {
  const leaving = new AbortController();
  const args = { action: "Give me up", wait_seconds: 60 };
  const options = { signal: leaving.signal, onprogress: () => leaving.abort(), timeout: GIVE_UP_MS };
  try {
    await call("request_human_approval", args, options);
    return true;
  } catch (error) {
    if (leaving.signal.aborted) return false;
    throw error;
  }
}

function id(result) {
  return result.structuredContent.request_id;
}

// Connect a client by a transport, let it tell, and write that as one line.
export async function main(client, transports, adapt) {
  const how = JSON.parse(process.argv[2]);
  const transport = transports[how.transport](how);
  await client.connect(transport);
  const told = how.only_look ? { tools: (await client.listTools()).tools } : await tell(adapt(client));
  const met = {
    protocol: client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion ?? null,
    server: client.getServerVersion(),
    capabilities: client.getServerCapabilities(),
    instructions: client.getInstructions() ?? null,
  };
  await client.close();
  process.stdout.write(JSON.stringify({ ...met, ...told }) + "\n");
}
