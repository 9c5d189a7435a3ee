// Events to readyd's events.sock in acknowledged mode: each is kept until readyd has it on disk, and sent again over
// the next connection until then. Nothing here throws, logs, waits, or keeps the process alive.

import { randomBytes } from "node:crypto";
import { connect } from "node:net";

/** Events kept while they are not acknowledged; beyond this the oldest is dropped, which readyd counts as a gap. */
export const QUEUE_EVENTS_MAX = 1000;
/** What is asked of readyd is answered within this, or the connection is given up. */
export const ANSWER_WITHIN_MS = 1000;
/** Between two attempts to connect, doubled up to the last, and shortened by up to a half at random. */
const RETRY_FIRST_MS = 250;
/** Below the time after which readyd calls a tenant without its source blind. */
const RETRY_MAX_MS = 15_000;
/** readyd's answers are short lines. */
const ANSWER_CHARS_MAX = 64 * 1024;

export class Sender {
  #socketPath;
  #producer;
  #epoch = newEpoch();
  #lastSeq = 0;
  /** `{seq, fields}`, oldest first; not acknowledged. */
  #queue = [];
  /** How many of the queue this connection was given. */
  #sent = 0;
  #socket = undefined;
  #isGreeted = false;
  #isFull = false;
  #input = "";
  #isOpen = false;
  #isFlushDue = false;
  #retryMs = RETRY_FIRST_MS;
  #retry = undefined;
  #patience = undefined;

  constructor({ socket, producer }) {
    this.#socketPath = socket;
    this.#producer = producer;
  }

  /** Connects, now and whenever the connection is lost. */
  open() {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#connect();
  }

  /** What is queued and can be written at once is; nobody waits for it. */
  close() {
    this.#isOpen = false;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#guarded(() => {
      this.#flush();
      this.#socket?.end();
    });
  }

  /** Queues one event; it is written after the caller has returned. */
  push(fields) {
    this.#lastSeq += 1;
    this.#queue.push({ seq: this.#lastSeq, fields });
    if (this.#queue.length > QUEUE_EVENTS_MAX) {
      this.#queue.shift();
      this.#sent = Math.max(0, this.#sent - 1);
    }
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      this.#guarded(() => this.#flush());
    });
  }

  /** Events that readyd has not acknowledged. */
  get pending() {
    return this.#queue.length;
  }

  #connect() {
    this.#retry = undefined;
    this.#guarded(() => {
      const socket = connect({ path: this.#socketPath });
      this.#socket = socket;
      const ofThis = (handle) => (value) => {
        if (this.#socket === socket) this.#guarded(() => handle(value));
      };
      socket.unref();
      socket.setEncoding("utf8");
      socket.on("error", () => {});
      socket.on("close", ofThis(() => this.#lost()));
      socket.on("data", ofThis((text) => this.#read(text)));
      socket.on("drain", ofThis(() => {
        this.#isFull = false;
        this.#flush();
      }));
      socket.write(`${JSON.stringify({ hello: { producer: this.#producer, epoch: this.#epoch, now: Date.now() } })}\n`);
      this.#expectAnswer();
    });
  }

  #flush() {
    if (!this.#isGreeted || this.#isFull || this.#sent === this.#queue.length) return;
    const lines = this.#queue.slice(this.#sent).map(({ seq, fields }) => `${JSON.stringify({ ...fields, seq })}\n`);
    this.#sent = this.#queue.length;
    this.#isFull = !this.#socket.write(lines.join(""));
    if (!this.#patience) this.#expectAnswer();
  }

  #read(text) {
    this.#input += text;
    if (this.#input.length > ANSWER_CHARS_MAX) return this.#lost();
    const lines = this.#input.split("\n");
    this.#input = lines.pop();
    for (const line of lines) {
      if (line) this.#answer(JSON.parse(line));
    }
  }

  #answer({ hello, ack, error }) {
    if (hello) this.#greeted(hello.last_seq);
    else if (ack !== undefined) this.#acknowledged(ack);
    else if (error !== undefined) {
      if (error === "epoch_retired") this.#renumber();
      this.#lost();
    }
    // A `reject` is final, and the acknowledgement that follows it covers it.
  }

  #greeted(lastSeq) {
    if (lastSeq > this.#lastSeq) {
      // Somebody else had this epoch.
      this.#renumber();
      return this.#lost();
    }
    this.#isGreeted = true;
    this.#retryMs = RETRY_FIRST_MS;
    this.#acknowledged(lastSeq);
    this.#flush();
  }

  #acknowledged(seq) {
    const before = this.#queue.length;
    this.#queue = this.#queue.filter((event) => event.seq > seq);
    this.#sent = Math.max(0, this.#sent - (before - this.#queue.length));
    this.#expectNothing();
    if (this.#sent > 0) this.#expectAnswer();
  }

  #renumber() {
    this.#epoch = newEpoch();
    this.#queue.forEach((event, at) => {
      event.seq = at + 1;
    });
    this.#lastSeq = this.#queue.length;
  }

  #expectAnswer() {
    this.#expectNothing();
    this.#patience = setTimeout(() => this.#guarded(() => this.#lost()), ANSWER_WITHIN_MS).unref();
  }

  #expectNothing() {
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }

  #lost() {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isGreeted = false;
    this.#isFull = false;
    this.#sent = 0;
    this.#input = "";
    this.#expectNothing();
    socket?.destroy();
    if (!this.#isOpen || this.#retry) return;
    const wait = this.#retryMs * (0.5 + Math.random() / 2);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
    this.#retry = setTimeout(() => this.#connect(), wait).unref();
  }

  /** What goes wrong here costs the connection, and nobody else. */
  #guarded(act) {
    try {
      act();
    } catch {
      this.#lost();
    }
  }
}

function newEpoch() {
  return randomBytes(8).toString("hex");
}
