/** The form of this module; it rises when a page has to be changed. */
export const VERSION: string;

/** What the service refused, or that it could not be reached (`status` 0). */
export class HITLError extends Error {
  constructor(message: string, status?: number, data?: unknown, retryAfter?: number | null);
  readonly status: number;
  readonly data: unknown;
  /** Seconds after which the same call may succeed. */
  readonly retryAfter: number | null;
}

/** A short-lived token, or a function that gets a fresh one from your own server. */
export type Token = string | (() => string | Promise<string>);

export type Content = string | { text: string; [beside: string]: unknown };

/** Further fields of a question. */
export interface Fields {
  content_type?: "text" | "markdown";
  priority?: "low" | "normal" | "medium" | "high" | "urgent" | "critical";
  metadata?: unknown;
  ai_analysis?: unknown;
  context?: Record<string, unknown>;
  options?: string[];
  timeout_seconds?: number;
}

/** Where a request stands. An expired or withdrawn one is completed and rejected; `source` says why. */
export interface Answer {
  id: string;
  request_id: string;
  status: "pending" | "completed";
  decision: "approved" | "rejected" | "needs_changes" | "escalated" | null;
  source: "human" | "default" | "cancelled" | null;
  response: unknown;
  comment: string | null;
  data: Record<string, unknown>;
}

/** Sends questions to a service and waits for people's answers. */
export class HITLIntegration {
  constructor(token: Token, baseUrl: string);
  submitForReview(content: Content, loopId: string, fields?: Fields): Promise<Answer>;
  checkStatus(requestId: string, options?: { signal?: AbortSignal }): Promise<Answer>;
  /** Resolves once the request is closed. For a time limit give `AbortSignal.timeout(milliseconds)`. */
  waitFor(requestId: string, options?: { signal?: AbortSignal }): Promise<Answer>;
}
