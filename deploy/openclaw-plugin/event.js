// What a hook's event becomes: the allow-listed fields of one line for events.sock, without `tenant` and `seq`. Pure.

import { ended, failure } from "./family.js";

const ENDPOINT_BYTES_MAX = 512;
const ERROR_BYTES_MAX = 512;
const ID_BYTES_MAX = 128;

/**
 * The end of one run's delivery; undefined when nothing was to be delivered or it is not known.
 * `target`: the job's webhook, when it is known to have one. `now`: Unix milliseconds.
 */
export function cronEvent(event, target, now) {
  if (event?.action !== "finished") return undefined;
  const end = ended(
    text(event.deliveryStatus),
    typeof event.delivered === "boolean" ? event.delivered : undefined,
    text(event.deliveryError),
    text(event.deliverySuppressionReason) !== undefined,
  );
  if (!end) return undefined;
  const took = Number.isSafeInteger(event.durationMs) ? Math.max(0, event.durationMs) : 0;
  return line({
    endpoint: endpointOf(target, event.job?.name, event.jobId),
    ...end,
    ts: Number.isSafeInteger(event.runAtMs) ? event.runAtMs + took : now,
    task_id: word(event.jobId, ID_BYTES_MAX),
    request_id: word(event.runId, ID_BYTES_MAX),
    // That of an announcement may quote whom it was for.
    error: target === undefined ? undefined : word(event.deliveryError, ERROR_BYTES_MAX),
  });
}

/**
 * The end of one message of a channel. Its error is not told, since it may quote whom it was for; nor is a job's
 * announcement, which `cronEvent` tells.
 */
export function messageEvent(event, context, now) {
  const channel = word(context?.channelId, ID_BYTES_MAX);
  const session = text(event?.sessionKey) ?? text(context?.sessionKey) ?? "";
  if (!channel || typeof event?.success !== "boolean" || session.includes(":cron:")) return undefined;
  return line({
    endpoint: `channel:${channel}`,
    ...(event.success ? { status: 200 } : failure(text(event.error) ?? "")),
    ts: now,
    request_id: word(event.runId, ID_BYTES_MAX),
  });
}

/** A URL without user info, query and fragment; else the job's name or id, as readyd's own link names it. */
export function endpointOf(target, name, jobId) {
  return word(bareUrl(target) ?? bareUrl(name) ?? word(name, ENDPOINT_BYTES_MAX) ?? jobId, ENDPOINT_BYTES_MAX);
}

function bareUrl(outside) {
  if (!/^https?:\/\//i.test(text(outside) ?? "")) return undefined;
  try {
    const { protocol, host, pathname } = new URL(outside);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return undefined;
  }
}

/** Undefined fields are left out; no line without an endpoint. */
function line(fields) {
  if (!fields.endpoint) return undefined;
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function text(outside) {
  return typeof outside === "string" ? outside : undefined;
}

/** One clean line of at most `bytesMax` bytes; undefined when nothing is left. */
function word(outside, bytesMax) {
  const clean = (text(outside) ?? "")
    .slice(0, bytesMax)
    .toWellFormed()
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ")
    .trim();
  if (!clean) return undefined;
  const bytes = Buffer.from(clean);
  if (bytes.length <= bytesMax) return clean;
  // A character that the cut went through has become a replacement character.
  return bytes.subarray(0, bytesMax).toString().replace(/\ufffd+$/, "");
}
