// The types of worker.js, for the type checker only. Nothing of this file is uploaded.

import type { UptimeState } from "./worker.js";

export interface Check {
  name: string;
  url: string;
  status: number;
  /** Text that the body of the response must contain. */
  body?: string | null;
}

export interface Mail {
  sessionUrl: string;
  from: string;
  to: string;
}

export interface Config {
  checks: Check[];
  /** A check changes its state after so many results in a row that contradict the state. */
  failures: number;
  timeoutMs: number;
  mail: Mail | null;
}

/** The bindings of the Worker. Secrets without a value have no binding. */
export interface Env {
  STATE: DurableObjectNamespace<UptimeState>;
  CONFIG: Config;
  WEBHOOK_URL?: string;
  MAIL_TOKEN?: string;
  HEARTBEAT_URL?: string;
  STATUS_TOKEN?: string;
}

/** Times are in RFC 3339. */
export interface Verdict {
  url: string;
  state: "up" | "down" | "unknown";
  since: string;
  /** The latest error, until the state is up again. */
  lastError: string | null;
  /** Number of the latest results in a row that contradict the state, and the time of the first of them. */
  contradictions: number;
  contradictedSince: string;
}

/** A check that went down, or that is up again. Webhooks receive it as JSON. */
export interface Change {
  name: string;
  url: string;
  /** Never "unknown". */
  state: Verdict["state"];
  since: string;
  error: string | null;
  /** When the outage began that is over. */
  downSince: string | null;
}

export type Channel = "webhook" | "mail";

export interface Message {
  subject: string;
  text: string;
  changes: Change[];
}

export type Send = (message: Message) => Promise<void>;

/** What the Durable Object stores. Fields may be added, but not renamed: a new version of the script reads it. */
export interface State {
  checked: string | null;
  checks: Record<string, Verdict>;
  unsent: Record<Channel, Change[]>;
}
