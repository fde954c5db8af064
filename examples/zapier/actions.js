// What a Zap does: ask, change an open question, read an answer.
const { api } = require("./triggers");

const flat = (request) => ({
  id: request.id,
  loop_id: request.loop_id,
  status: request.status,
  decision: request.decision,
  response_data: request.response_data,
  response_comment: request.response_comment,
  response_by: request.response_by_user?.email ?? request.response_by,
  response_at: request.response_at,
  request_text: request.request_text,
  priority: request.priority,
  revision: request.revision,
});

const sample = {
  id: "66f1c0a94be2d17c5a3e8b90", loop_id: "66f1bf3e0c9d4a7725e1f0aa", status: "completed", decision: "approved",
  response_data: "approve", response_comment: "Go ahead", response_by: "grace@example.com",
  response_at: "2026-03-02T09:30:00Z", request_text: "May it be published?", priority: "medium", revision: 1,
};

const text = { key: "request_text", label: "Question", type: "text", helpText: "Markdown, at most 2000 characters." };
const priority = { key: "priority", label: "Priority", choices: ["low", "medium", "high", "critical"] };
const given = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== ""));

const createRequest = {
  key: "create_request",
  noun: "Request",
  display: { label: "Create Request", description: "Asks the people of a loop." },
  operation: {
    inputFields: [
      { key: "loop_id", label: "Loop", required: true, dynamic: "loops.id.name" },
      { ...text, required: true },
      { key: "options", label: "Options", list: true, helpText: "Leave empty for an approval: Approve, Reject, Needs Changes." },
      { key: "default_response", label: "Default", helpText: "The option that stands when nobody answers in time; needed with options." },
      { ...priority, default: "medium" },
      { key: "timeout_minutes", label: "Minutes to answer", type: "integer", helpText: "Leave empty for 30 days." },
      { key: "context", label: "Details", dict: true, helpText: "Shown beside the question." },
      { key: "callback_url", label: "Address to call", helpText: "Told once how it ended." },
    ],
    perform: async (z, bundle) => {
      const { loop_id, options, default_response, timeout_minutes, ...rest } = bundle.inputData;
      const body = { platform: "zapier", ...given(rest) };
      if (options?.length) {
        Object.assign(body, { response_type: "single_select", response_config: { options }, default_response });
      } else {
        body.kind = "approval";
      }
      if (timeout_minutes) Object.assign(body, { processing_type: "time-sensitive", timeout_seconds: timeout_minutes * 60 });
      const response = await z.request({ url: api(bundle, `/loops/${loop_id}/requests`), method: "POST", body });
      return flat(response.data.data.request);
    },
    sample: { ...sample, status: "pending", decision: null, response_data: null },
  },
};

const updateRequest = {
  key: "update_request",
  noun: "Request",
  display: { label: "Update Request", description: "Changes a question that nobody has answered yet." },
  operation: {
    inputFields: [
      { key: "request_id", label: "Request", required: true },
      text,
      priority,
      { key: "context", label: "Details", dict: true },
    ],
    perform: async (z, bundle) => {
      const { request_id, ...changes } = bundle.inputData;
      const url = api(bundle, `/requests/${request_id}`);
      const response = await z.request({ url, method: "PATCH", body: given(changes) });
      return flat(response.data.data.request);
    },
    sample,
  },
};

const getResponse = {
  key: "get_response",
  noun: "Response",
  display: { label: "Get Response", description: "Reads how a request stands." },
  operation: {
    inputFields: [{ key: "request_id", label: "Request", required: true }],
    perform: async (z, bundle) => {
      const response = await z.request({ url: api(bundle, `/requests/${bundle.inputData.request_id}`) });
      return [flat(response.data.data.request)];
    },
    sample,
  },
};

module.exports = { createRequest, getResponse, updateRequest };
