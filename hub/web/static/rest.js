// The REST API for pages. Who is signed in is the session cookie's matter; one that has run out is renewed once.

export class Rest {
  constructor(session, base = "/api/v1") {
    this.session = session;
    this.base = base;
  }

  get = (path) => this.ask(path);
  post = (path, body, headers) => this.ask(path, { method: "POST", body, headers });

  /** Resolves to the body. Rejects with the problem (RFC 9457) as an Error with its members and `status`. */
  async ask(path, { method = "GET", body, headers = {} } = {}, again = true) {
    const given = body === undefined ? {} : { "Content-Type": "application/json" };
    const response = await fetch(`${this.base}${path}`, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      headers: { ...given, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (response.status === 401 && again) {
      await this.session.renew();
      return this.ask(path, { method, body, headers }, false);
    }
    const answer = response.status === 204 ? null : await response.json();
    if (response.ok) return answer;
    throw Object.assign(new Error(answer.detail ?? answer.title ?? `HTTP ${response.status}`), answer, { status: response.status });
  }
}
