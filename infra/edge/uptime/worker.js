// A Cloudflare Worker that requests every public URL once a minute, and reports which one is down and which one is up
// again. docs/uptime.md describes its behaviour, tests/worker/ tests it. Log lines and messages contain no secret.

import { DurableObject } from "cloudflare:workers";

/** @import { Change, Channel, Check, Env, Mail, Message, Send, State, Verdict } from "./types" */

/** A Worker can wait for the headers of six responses. The timeout of a seventh request would run while it waits. */
const PARALLEL_REQUESTS = 6;
/** A channel that is unavailable for long keeps only its newest changes. */
const MAX_UNSENT = 50;
/** Discord rejects messages with more than 2000 characters. */
const MAX_CHAT_LENGTH = 1900;
const MAX_LINE_LENGTH = 200;

/** An error whose message contains no secret. The messages of other errors may contain the URL of the webhook. */
class ResponseError extends Error {}

export default {
  /** @param {ScheduledController} _controller @param {Env} env */
  async scheduled(_controller, env) {
    await stateObject(env).run();
  },

  /** Returns the verdicts to a client with the status token. @param {Request} request @param {Env} env */
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (request.method === "GET" && pathname === "/" && (await isAuthorized(request, env.STATUS_TOKEN))) {
      return Response.json(await stateObject(env).status(), { headers: { "Cache-Control": "no-store" } });
    }
    return new Response("Not found\n", { status: 404 });
  },
};

/**
 * Runs the checks, and stores their verdicts and the changes that are not sent yet.
 *
 * @extends {DurableObject<Env>}
 */
export class UptimeState extends DurableObject {
  /** @type {Promise<void> | null} */
  #current = null;

  /**
   * Requests all URLs, and sends one message about all changes. A call during a run waits for that run: this object
   * accepts calls while it waits for a response.
   */
  async run() {
    this.#current ??= this.#run().finally(() => (this.#current = null));
    await this.#current;
  }

  /** The verdicts of the latest run. */
  async status() {
    const { checked, checks } = this.#load();
    const verdicts = Object.entries(checks).map(([name, { url, state, since, lastError }]) => {
      return { name, url, state, since, lastError };
    });
    return { checked, checks: verdicts };
  }

  async #run() {
    const { WEBHOOK_URL, MAIL_TOKEN, HEARTBEAT_URL } = this.env;
    const { checks, timeoutMs, mail } = this.env.CONFIG;
    const time = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    const errors = [];
    for (let start = 0; start < checks.length; start += PARALLEL_REQUESTS) {
      const batch = checks.slice(start, start + PARALLEL_REQUESTS);
      errors.push(...(await Promise.all(batch.map((check) => errorOf(check, timeoutMs)))));
    }
    this.#record(time, errors);
    const sent = await Promise.all([
      this.#send("webhook", WEBHOOK_URL && ((message) => postMessage(WEBHOOK_URL, message, timeoutMs))),
      this.#send("mail", mail && MAIL_TOKEN && ((message) => sendMail(mail, MAIL_TOKEN, message, timeoutMs))),
    ]);
    // If a message could not be sent, the service that expects the heartbeat reports its absence.
    if (HEARTBEAT_URL && sent.every(Boolean)) {
      await succeeds("heartbeat", async () => discard(await request(HEARTBEAT_URL, {}, timeoutMs)));
    }
  }

  /**
   * Stores the results of a run. It awaits nothing, so that no other call can change the state meanwhile.
   *
   * @param {string} time @param {(string | null)[]} errors
   */
  #record(time, errors) {
    const { checks, failures } = this.env.CONFIG;
    const before = this.#load();
    const verdicts = /** @type {Record<string, Verdict>} */ ({});
    const changes = /** @type {Change[]} */ ([]);
    checks.forEach(({ name, url }, index) => {
      const previous = before.checks[name] ?? newVerdict(url, time);
      const verdict = nextVerdict({ ...previous, url }, errors[index], time, failures);
      const { state, since, lastError } = verdict;
      verdicts[name] = verdict;
      // A new check that is up is no change.
      if (state !== previous.state && [state, previous.state].includes("down")) {
        changes.push({ name, url, state, since, error: lastError, downSince: state === "up" ? previous.since : null });
      }
    });
    changes.forEach((change) => console.log(line(change)));
    const webhook = [...before.unsent.webhook, ...changes].slice(-MAX_UNSENT);
    const mail = [...before.unsent.mail, ...changes].slice(-MAX_UNSENT);
    this.#store({ checked: time, checks: verdicts, unsent: { webhook, mail } });
  }

  /**
   * Sends the unsent changes to a channel, if it is configured. Returns false if it fails: the next run tries again.
   *
   * @param {Channel} channel @param {Send | "" | null | undefined} send
   */
  async #send(channel, send) {
    const changes = this.#load().unsent[channel];
    const sent = !send || changes.length === 0 || (await succeeds(channel, () => send(messageOf(changes))));
    if (sent && changes.length > 0) {
      const state = this.#load();
      this.#store({ ...state, unsent: { ...state.unsent, [channel]: [] } });
    }
    return sent;
  }

  /** @returns {State} */
  #load() {
    return this.ctx.storage.kv.get("state") ?? { checked: null, checks: {}, unsent: { webhook: [], mail: [] } };
  }

  /** @param {State} state */
  #store(state) {
    this.ctx.storage.kv.put("state", state);
  }
}

/** The only instance of UptimeState. @param {Env} env */
const stateObject = (env) => env.STATE.getByName("uptime");

/** @param {string} text */
const digest = (text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));

/** Compares digests, because timingSafeEqual needs equal lengths. @param {Request} request @param {string} [token] */
async function isAuthorized(request, token) {
  const authorization = request.headers.get("Authorization") ?? "";
  return Boolean(token) && crypto.subtle.timingSafeEqual(await digest(authorization), await digest(`Bearer ${token}`));
}

/** @param {string} url @param {RequestInit} init @param {number} timeoutMs */
function request(url, init, timeoutMs) {
  return fetch(url, {
    ...init,
    headers: { "User-Agent": "honeydue-uptime", ...init.headers },
    // A check compares the status of the redirect itself, and secrets are not sent to another host.
    redirect: "manual",
    // A cached response would hide that the origin is down.
    cache: "no-store",
    signal: AbortSignal.timeout(timeoutMs),
  });
}

/** Ignores the body of a response. Throws if the request failed. @param {Response} response */
async function discard(response) {
  await response.body?.cancel();
  if (!response.ok) {
    throw new ResponseError(`status ${response.status}`);
  }
}

/** Whether an action succeeds. Logs its error. @param {string} subject @param {() => Promise<void>} action */
async function succeeds(subject, action) {
  try {
    await action();
    return true;
  } catch (error) {
    console.error(`${subject} failed: ${error instanceof ResponseError ? error.message : Object(error).name}`);
    return false;
  }
}

/** Requests the URL of a check. Returns what is wrong, or null. @param {Check} check @param {number} timeoutMs */
async function errorOf({ url, status, body }, timeoutMs) {
  try {
    const response = await request(url, {}, timeoutMs);
    if (response.status !== status || !body) {
      await response.body?.cancel();
      return response.status === status ? null : `status ${response.status} instead of ${status}`;
    }
    return (await response.text()).includes(body) ? null : `the body does not contain ${JSON.stringify(body)}`;
  } catch (error) {
    const { name, message } = Object(error);
    return name === "TimeoutError" ? `no response within ${timeoutMs / 1000} s` : message.slice(0, MAX_LINE_LENGTH);
  }
}

/** @param {string} url @param {string} time @returns {Verdict} */
function newVerdict(url, time) {
  return { url, state: "unknown", since: time, lastError: null, contradictions: 0, contradictedSince: time };
}

/**
 * The verdict after a result. The first success of a new check makes it up. Otherwise the state changes after
 * `required` results in a row that contradict it, and begins at the time of the first of them.
 *
 * @param {Verdict} verdict @param {string | null} error @param {string} time @param {number} required
 * @returns {Verdict}
 */
function nextVerdict(verdict, error, time, required) {
  const result = error === null ? "up" : "down";
  const lastError = error ?? (verdict.state === "down" ? verdict.lastError : null);
  if (result === verdict.state) {
    return { ...verdict, lastError, contradictions: 0 };
  }
  if (verdict.state === "unknown" && result === "up") {
    return { ...newVerdict(verdict.url, time), state: result };
  }
  const contradictions = verdict.contradictions + 1;
  const contradictedSince = verdict.contradictions === 0 ? time : verdict.contradictedSince;
  if (contradictions < required) {
    return { ...verdict, lastError, contradictions, contradictedSince };
  }
  return { ...newVerdict(verdict.url, contradictedSince), state: result, lastError: error };
}

/** @param {Change} change */
function line({ name, url, state, since, error, downSince }) {
  const details = state === "down" ? `down since ${since}: ${error}` : `up since ${since}, was down since ${downSince}`;
  return `${name} is ${details} (${url})`;
}

/** @param {Change[]} changes @returns {Message} */
function messageOf(changes) {
  const subject = changes.map(({ name, state }) => `${name} is ${state}`).join(", ");
  return { subject: subject.slice(0, MAX_LINE_LENGTH), text: changes.map(line).join("\n"), changes };
}

/** @param {string} url @param {Message} message @param {number} timeoutMs */
async function postMessage(url, { text, changes }, timeoutMs) {
  const shown = text.slice(0, MAX_CHAT_LENGTH);
  // Slack and Mattermost show `text`, Discord shows `content`. Other receivers can read `changes`.
  const body = JSON.stringify({ text: shown, content: shown, changes });
  const headers = { "Content-Type": "application/json" };
  await discard(await request(url, { method: "POST", headers, body }, timeoutMs));
}

/**
 * Sends a mail by JMAP (RFC 8620 and 8621): creates a draft and submits it. The server then deletes the draft.
 *
 * @param {Mail} mail @param {string} token @param {Message} message @param {number} timeoutMs
 */
async function sendMail({ sessionUrl, from, to }, token, { subject, text }, timeoutMs) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const json = async (/** @type {string} */ url, /** @type {RequestInit} */ init) => {
    const response = await request(url, { ...init, headers }, timeoutMs);
    return response.ok ? /** @type {any} */ (await response.json()) : discard(response);
  };
  const session = await json(sessionUrl, {});
  const using = ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail", "urn:ietf:params:jmap:submission"];
  const accountId = session.primaryAccounts[using[2]];
  if (!accountId) {
    throw new ResponseError("the token may not submit mail");
  }

  /** Calls a method, and returns its result. @param {string} method @param {Record<string, unknown>} args */
  const call = async (method, args) => {
    const body = JSON.stringify({ using, methodCalls: [[method, { accountId, ...args }, "0"]] });
    const { methodResponses } = await json(session.apiUrl, { method: "POST", body });
    // A submission has a second response, about the deletion of the draft.
    const [name, result] = methodResponses[0];
    const failure = name === "error" ? result : Object.values(result.notCreated ?? {})[0];
    if (failure) {
      throw new ResponseError(`${method}: ${failure.type}`);
    }
    return result;
  };

  const { list } = await call("Identity/get", { ids: null });
  const { ids } = await call("Mailbox/query", { filter: { role: "drafts" } });
  const senders = [from, from.replace(/^.*@/, "*@")]; // an identity of one address, or of a whole domain
  const identity = list.find((/** @type {{email: string}} */ { email }) => senders.includes(email));
  if (!identity || ids.length === 0) {
    throw new ResponseError(identity ? "there is no mailbox for drafts" : "no identity may send as mail.from");
  }
  const draft = {
    from: [{ email: from }],
    to: [{ email: to }],
    subject,
    keywords: { $draft: true },
    mailboxIds: { [ids[0]]: true },
    bodyValues: { text: { value: `${text}\n` } },
    textBody: [{ partId: "text", type: "text/plain" }],
  };
  const { created } = await call("Email/set", { create: { draft } });
  const submission = { identityId: identity.id, emailId: created.draft.id };
  try {
    await call("EmailSubmission/set", { create: { submission }, onSuccessDestroyEmail: ["#submission"] });
  } catch (error) {
    await call("Email/set", { destroy: [created.draft.id] });
    throw error;
  }
}
