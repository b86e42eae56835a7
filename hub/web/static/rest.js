// The REST API for pages. Who is signed in is the session cookie's matter; one that has run out is renewed once.

export class Rest {
  constructor(session, base = "/api/v1") {
    this.session = session;
    this.base = base;
  }

  get = (path) => this.ask(path);
  post = (path, body, headers) => this.ask(path, { method: "POST", body, headers });

  /** Send a form with a file; resolves to {body, etag}. */
  send = (path, form, headers) => this.#fetch(path, { method: "POST", body: form, headers });

  /** Resolves to the body. Rejects with the problem (RFC 9457) as an Error with its members and `status`. */
  async ask(path, { method = "GET", body, headers = {} } = {}) {
    if (body === undefined) return (await this.#fetch(path, { method, headers })).body;
    return (await this.#fetch(path, { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers } })).body;
  }

  async #fetch(path, { method, body, headers }, again = true) {
    const response = await fetch(`${this.base}${path}`, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      headers,
      body,
    });
    if (response.status === 401 && again) {
      await this.session.renew();
      return this.#fetch(path, { method, body, headers }, false);
    }
    if (response.ok) return { body: response.status === 204 ? null : await response.json(), etag: response.headers.get("ETag") };
    const problem = await response.json().catch(() => null); // the error page of a proxy is no JSON
    throw Object.assign(new Error(problem?.detail ?? problem?.title ?? `HTTP ${response.status}`), problem, { status: response.status });
  }
}
