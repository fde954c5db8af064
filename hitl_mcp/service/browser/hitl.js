/**
 * Ask people from a web page. One file, no dependency; types are beside it in hitl.d.ts.
 *
 * Give it a short-lived token, never an API key: whoever opens the page can read what the page knows. Your own server
 * makes tokens with its key (POST /v1/api/tokens).
 */

export const VERSION = "1";

const WAIT_SECONDS = 25;
const PAUSE_MS = 1_000;
const MOST_PAUSE_MS = 60_000;
const TRIES = 3;

/** What the service refused, or that it could not be reached (`status` 0). */
export class HITLError extends Error {
  /**
   * @param {string} message what happened, and what to do
   * @param {number} status of HTTP; 0 when there was no answer
   * @param {unknown} data what the service said beside its message
   * @param {number | null} retryAfter seconds after which the same call may succeed
   */
  constructor(message, status = 0, data = null, retryAfter = null) {
    super(message);
    this.name = "HITLError";
    this.status = status;
    this.data = data;
    this.retryAfter = retryAfter;
  }
}

/** Sends questions to a service and waits for people's answers. */
export class HITLIntegration {
  #credential;
  #base;

  /**
   * @param {string | (() => string | Promise<string>)} token a short-lived token, or a function that gets a fresh one
   * @param {string} baseUrl of the service, with or without /v1
   */
  constructor(token, baseUrl) {
    if (!token) throw new HITLError("Give a short-lived token, or a function that gets one from your server");
    if (!baseUrl) throw new HITLError("Give the address of your service, like https://hitl.example.com");
    this.#credential = token;
    this.#base = new URL(String(baseUrl).replace(/\/+$/, "").replace(/\/v1$/, "")).href.replace(/\/$/, "");
  }

  /**
   * Ask whether something may be published. Sent again after a lost connection it stays one question.
   * @param {string | {text: string}} content what people shall look at; other fields are shown beside the text
   * @param {string} loopId the loop whose people are asked
   * @param {object} [fields] further fields of the request, such as priority, metadata or ai_analysis
   */
  async submitForReview(content, loopId, fields = {}) {
    const body = { content, content_type: "text", priority: "normal", ...fields };
    const headers = { "Content-Type": "application/json", "Idempotency-Key": randomKey() };
    const path = `/v1/api/loops/${encodeURIComponent(loopId)}/requests`;
    const call = { method: "POST", headers, body: JSON.stringify(body) };
    for (let tried = 1; ; tried++) {
      try {
        return await this.#call(path, call);
      } catch (error) {
        if (tried >= TRIES || !(error instanceof HITLError) || (error.status !== 0 && error.status !== 503)) throw error;
        await pause(pauseAfter(error), undefined);
      }
    }
  }

  /**
   * Where a request stands. `status` is `pending` or `completed`; a request that expired or was withdrawn is completed
   * and rejected, and `source` says why. `decision` is `approved` only where a person approved in time.
   * @param {string} requestId
   * @param {{signal?: AbortSignal}} [options]
   */
  checkStatus(requestId, { signal } = {}) {
    return this.#call(`/v1/api/requests/${encodeURIComponent(requestId)}/status`, { signal });
  }

  /**
   * The same, once the request is closed. Giving up withdraws nothing.
   * @param {string} requestId
   * @param {{signal?: AbortSignal}} [options] for a time limit: AbortSignal.timeout(60_000)
   */
  async waitFor(requestId, { signal } = {}) {
    const path = `/v1/api/requests/${encodeURIComponent(requestId)}/wait?timeout=${WAIT_SECONDS}`;
    for (;;) {
      try {
        const answer = await this.#call(path, { signal });
        if (!answer.data.pending) return await this.checkStatus(requestId, { signal });
      } catch (error) {
        const passes = error instanceof HITLError && (error.status === 0 || error.status === 429 || error.status >= 500);
        if (!passes) throw error;
        await pause(pauseAfter(error), signal);
      }
    }
  }

  async #call(path, init) {
    let response = await this.#fetch(path, init);
    if (response.status === 401 && typeof this.#credential === "function") {
      response = await this.#fetch(path, init); // the token ended in between: the function gets a fresh one
    }
    const retry = Number(response.headers.get("Retry-After")) || null;
    const body = await response.json().catch(() => null);
    if (body === null || typeof body !== "object") {
      throw new HITLError(
        `The answer of ${this.#base} could not be read (status ${response.status}). Check the service's address.`,
        response.status, null, retry,
      );
    }
    if (body.error !== false || (!response.ok && response.status !== 408)) {
      throw new HITLError(body.msg || `The service answered ${response.status}`, response.status, body.data ?? null, retry);
    }
    return body;
  }

  async #fetch(path, init) {
    const token = typeof this.#credential === "function" ? await this.#credential() : this.#credential;
    const headers = { ...init.headers, Authorization: `Bearer ${token}` };
    try {
      return await fetch(this.#base + path, {
        ...init, headers, mode: "cors", credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer",
      });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new HITLError(
        `${this.#base} could not be reached from this page. Check that it runs, and that HITL_CORS_ORIGINS of the ` +
          `service lists ${globalThis.location?.origin ?? "this page's origin"}.`,
      );
    }
  }
}

function pauseAfter(error) {
  return Math.min(MOST_PAUSE_MS, error.retryAfter ? error.retryAfter * 1_000 : PAUSE_MS);
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const over = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", over);
      resolve();
    }, milliseconds);
    if (signal?.aborted) over();
    else signal?.addEventListener("abort", over, { once: true });
  });
}

function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
