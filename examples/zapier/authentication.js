// An API key and the address of the service. The triggers need a key with the scope webhooks:write.
const authentication = {
  type: "custom",
  fields: [
    { key: "base_url", label: "Address", required: true, type: "string", helpText: "Of your service, like https://hitl.example.com" },
    { key: "api_key", label: "API key", required: true, type: "password", helpText: "Made with `hitl-mcp keys create Zapier --scope loops:read --scope requests:read --scope requests:write --scope webhooks:write`" },
  ],
  test: { url: "{{bundle.authData.base_url}}/v1/test" },
  connectionLabel: "{{data.email}}",
};

const withKey = (request, z, bundle) => {
  if (bundle.authData.api_key) request.headers.Authorization = `Bearer ${bundle.authData.api_key}`;
  return request;
};

// says what the service said, in its own words
const readable = (response, z) => {
  if (response.status < 400) return response;
  let said = {};
  try {
    said = JSON.parse(response.content);
  } catch {
    // not ours: its status has to do
  }
  const words = said.msg || `The service answered ${response.status}`;
  const more = typeof said.data === "string" ? `: ${said.data}` : "";
  if (response.status === 401) throw new z.errors.ExpiredAuthError(words + more);
  if (response.status === 429) throw new z.errors.ThrottledError(words, said.data?.retry_after);
  throw new z.errors.Error(words + more, "Refused", response.status);
};

module.exports = { authentication, withKey, readable };
