// How a delivery ended, from what the gateway says of it. Pure.
//
// The same rules as readyd's own link has (`ended` and `failure` in src/link/events.rs), in the language of the
// gateway: events.sock takes a status or a kind, and only this side knows the error. A test asks both for every word.

/** `{status}` or `{kind}`; undefined: nothing was requested, it was held back on purpose, or it is not known. */
export function ended(status, delivered, error, suppressed) {
  if (status === "delivered") return { status: 200 };
  if (status === "not-delivered") return suppressed && error === undefined ? undefined : failure(error ?? "");
  if (status !== undefined || delivered === undefined) return undefined;
  if (delivered) return { status: 200 };
  // A gateway that tells no status tells `delivered: false` of every run that delivers nothing.
  return error === undefined ? undefined : failure(error);
}

/** Codes of Node's network stack first, phrases after them: a host's name may hold a phrase. */
export function failure(error) {
  const status = httpStatus(error);
  if (status !== undefined) return status < 300 ? { kind: "other" } : { status };
  for (const word of error.split(/[^A-Z0-9_]/)) {
    if (word.length > 3 && CODES.has(word)) return { kind: CODES.get(word) };
  }
  const lower = error.toLowerCase();
  const known = PHRASES.find(([phrase]) => lower.includes(phrase));
  return { kind: known ? known[1] : "other" };
}

/** Of Node's `errno`, c-ares, undici and OpenSSL. */
export const CODES = new Map([
  ["ENOTFOUND", "dns"],
  ["EAI_AGAIN", "dns"],
  ["EAI_FAIL", "dns"],
  ["EAI_NODATA", "dns"],
  ["EAI_NONAME", "dns"],
  ["ENODATA", "dns"],
  ["ESERVFAIL", "dns"],
  ["ECONNREFUSED", "connect"],
  ["ECONNRESET", "connect"],
  ["ECONNABORTED", "connect"],
  ["EHOSTUNREACH", "connect"],
  ["EHOSTDOWN", "connect"],
  ["ENETUNREACH", "connect"],
  ["ENETDOWN", "connect"],
  ["EADDRNOTAVAIL", "connect"],
  ["EPIPE", "connect"],
  ["UND_ERR_SOCKET", "connect"],
  ["ETIMEDOUT", "timeout"],
  ["ESOCKETTIMEDOUT", "timeout"],
  ["UND_ERR_CONNECT_TIMEOUT", "timeout"],
  ["UND_ERR_HEADERS_TIMEOUT", "timeout"],
  ["UND_ERR_BODY_TIMEOUT", "timeout"],
  ["EPROTO", "tls"],
  ["CERT_HAS_EXPIRED", "tls"],
  ["CERT_NOT_YET_VALID", "tls"],
  ["CERT_UNTRUSTED", "tls"],
  ["CERT_REVOKED", "tls"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "tls"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "tls"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "tls"],
  ["UNABLE_TO_GET_ISSUER_CERT", "tls"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "tls"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "tls"],
  ["ERR_TLS_HANDSHAKE_TIMEOUT", "tls"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "tls"],
]);

/** In this order. */
export const PHRASES = [
  ["getaddrinfo", "dns"],
  ["could not resolve", "dns"],
  ["blocked hostname", "blocked"],
  ["blocked url", "blocked"],
  ["private/internal/special-use", "blocked"],
  ["ssrf", "blocked"],
  ["certificate", "tls"],
  ["ssl routines", "tls"],
  ["secure tls connection", "tls"],
  ["deadline exceeded", "timeout"],
  ["timed out", "timeout"],
  ["timeout", "timeout"],
  ["operation was aborted", "timeout"],
  ["connection refused", "connect"],
  ["socket hang up", "connect"],
  ["other side closed", "connect"],
  ["blocked", "blocked"],
  ["fetch failed", "connect"],
];

/** The number behind `HTTP ` or `status `: `Webhook request failed with HTTP 503`. */
function httpStatus(error) {
  const lower = error.toLowerCase();
  for (const mark of ["http ", "http/1.1 ", "http/2 ", "status ", "status: ", "status code "]) {
    const at = lower.indexOf(mark);
    const digits = at < 0 ? undefined : /^[0-9]+/.exec(lower.slice(at + mark.length))?.[0];
    if (digits?.length === 3 && digits >= "100" && digits <= "599") return Number(digits);
  }
  return undefined;
}
