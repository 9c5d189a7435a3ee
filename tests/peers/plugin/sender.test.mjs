// The plugin's own parts under Node, against a socket that plays readyd.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { cronEvent, endpointOf, messageEvent } from "../../../deploy/openclaw-plugin/event.js";
import plugin from "../../../deploy/openclaw-plugin/index.js";
import { ANSWER_WITHIN_MS, QUEUE_EVENTS_MAX, Sender } from "../../../deploy/openclaw-plugin/sender.js";

const place = mkdtempSync(join(tmpdir(), "readyd-plugin-"));
after(() => rmSync(place, { recursive: true, force: true }));
let sockets = 0;
const socketPath = () => join(place, `${(sockets += 1)}.sock`);
/** Nothing here may take longer; a bound for hangs, not a wait. */
const PATIENCE_MS = 20_000;

/** Plays readyd: `answers` gets each line's object and what to answer with. */
async function readyd(path, answers) {
  const server = createServer((socket) => {
    let input = "";
    const say = (answer) => socket.write(`${JSON.stringify(answer)}\n`);
    socket.on("error", () => {});
    socket.setEncoding("utf8").on("data", (text) => {
      input += text;
      const lines = input.split("\n");
      input = lines.pop();
      for (const line of lines) answers(JSON.parse(line), say, socket);
    });
  });
  server.listen(path);
  await once(server, "listening");
  return server;
}

async function until(holds) {
  const began = Date.now();
  while (!holds()) {
    assert.ok(Date.now() - began < PATIENCE_MS, `never: ${holds}`);
    await new Promise((resume) => setTimeout(resume, 5));
  }
}

const EVENT = { tenant: "acme", endpoint: "crm", status: 503 };

/** How long the caller was kept, in milliseconds, for `count` events. */
function kept(sender, count) {
  const began = performance.now();
  for (let at = 0; at < count; at += 1) sender.push(EVENT);
  return performance.now() - began;
}

test("without a socket nobody waits and the queue is bounded", async () => {
  const sender = new Sender({ socket: socketPath(), producer: "plugin:acme" });
  sender.open();
  assert.ok(kept(sender, 5000) < 500);
  assert.equal(sender.pending, QUEUE_EVENTS_MAX);
  sender.close();
});

test("a socket that never reads keeps nobody waiting and is given up", async () => {
  const path = socketPath();
  let connections = 0;
  const server = createServer({ pauseOnConnect: true }, () => (connections += 1)).listen(path);
  await once(server, "listening");
  const sender = new Sender({ socket: path, producer: "plugin:acme" });
  sender.open();
  await until(() => connections === 1);
  assert.ok(kept(sender, 5000) < 500);
  const began = Date.now();
  await until(() => connections === 2);
  assert.ok(Date.now() - began >= ANSWER_WITHIN_MS / 2, "it asks again only after it lost patience");
  assert.equal(sender.pending, QUEUE_EVENTS_MAX);
  sender.close();
  server.close();
});

test("a socket that greets and then reads no more is given up, and what it got is sent again", async () => {
  const path = socketPath();
  const greetings = [];
  const got = [];
  const server = await readyd(path, (line, say, socket) => {
    if (line.hello) {
      greetings.push(line.hello);
      say({ hello: { last_seq: 0 } });
      if (greetings.length === 1) socket.pause();
    } else {
      got.push(line.seq);
      say({ ack: line.seq });
    }
  });
  const sender = new Sender({ socket: path, producer: "plugin:acme" });
  sender.open();
  await until(() => greetings.length === 1);
  assert.ok(kept(sender, 300) < 500);
  await until(() => sender.pending === 0);
  assert.ok(greetings.length >= 2);
  assert.equal(greetings[0].epoch, greetings[1].epoch);
  assert.deepEqual(got.slice(-300), Array.from({ length: 300 }, (_, at) => at + 1));
  sender.close();
  server.close();
});

test("sequences start at 1, and what readyd has is not sent again", async () => {
  const path = socketPath();
  let greetings = 0;
  const seen = [];
  const server = await readyd(path, (line, say, socket) => {
    if (line.hello) {
      assert.equal(line.hello.producer, "plugin:acme");
      assert.match(line.hello.epoch, /^[0-9a-f]{16}$/);
      assert.ok(Number.isSafeInteger(line.hello.now));
      greetings += 1;
      // It died after it had committed two, before it could say so.
      return say({ hello: { last_seq: greetings === 1 ? 0 : 2 } });
    }
    seen.push(`${greetings}:${line.seq}`);
    if (greetings === 1 && line.seq === 3) return socket.destroy();
    if (greetings === 2) say({ ack: line.seq });
  });
  const sender = new Sender({ socket: path, producer: "plugin:acme" });
  sender.open();
  kept(sender, 3);
  await until(() => sender.pending === 0);
  assert.deepEqual(seen, ["1:1", "1:2", "1:3", "2:3"]);
  sender.close();
  server.close();
});

test("an epoch that readyd retired is left, and its events are numbered anew", async () => {
  const path = socketPath();
  const epochs = [];
  const seen = [];
  const server = await readyd(path, (line, say, socket) => {
    if (line.hello) {
      epochs.push(line.hello.epoch);
      if (epochs.length > 1) return say({ hello: { last_seq: 0 } });
      say({ error: "epoch_retired" });
      return socket.end();
    }
    seen.push(line.seq);
    say({ ack: line.seq });
  });
  const sender = new Sender({ socket: path, producer: "plugin:acme" });
  sender.open();
  kept(sender, 2);
  await until(() => sender.pending === 0);
  assert.notEqual(epochs[0], epochs[1]);
  assert.deepEqual(seen, [1, 2]);
  sender.close();
  server.close();
});

test("answers that are no answers cost the connection and nothing else", async () => {
  const path = socketPath();
  let greetings = 0;
  const server = await readyd(path, (line, say, socket) => {
    if (!line.hello) return say({ ack: line.seq });
    greetings += 1;
    if (greetings === 1) return socket.write("not JSON\n");
    if (greetings === 2) return socket.write("null\n");
    if (greetings === 3) return socket.write("x".repeat(70_000));
    say({ hello: { last_seq: 0 } });
  });
  const sender = new Sender({ socket: path, producer: "plugin:acme" });
  sender.open();
  sender.push(EVENT);
  await until(() => sender.pending === 0);
  assert.equal(greetings, 4);
  sender.close();
  server.close();
});

const FINISHED = {
  action: "finished",
  jobId: "5fc70ca7",
  runId: "manual:5fc70ca7:1",
  runAtMs: 1_795_162_697_831,
  durationMs: 85,
  delivered: false,
  deliveryStatus: "not-delivered",
  deliveryError: "Webhook request failed with HTTP 500\nstack",
  summary: "secret output",
  job: { id: "5fc70ca7", name: "nightly", payload: { kind: "command", argv: ["sh", "-lc", "secret argv"] } },
};

test("only allow-listed fields leave the gateway", () => {
  const event = cronEvent(FINISHED, "https://u:p@crm.example/hook?key=1#f", 0);
  assert.deepEqual(event, {
    endpoint: "https://crm.example/hook",
    status: 500,
    ts: 1_795_162_697_916,
    task_id: "5fc70ca7",
    request_id: "manual:5fc70ca7:1",
    error: "Webhook request failed with HTTP 500 stack",
  });
});

test("the error of an announcement stays in the gateway", () => {
  const event = cronEvent({ ...FINISHED, deliveryError: "chat not found (chat_id=123)" }, undefined, 0);
  assert.equal(event.error, undefined);
  assert.equal(event.kind, "other");
});

test("a run that delivers nothing is no event, one that delivered is a 200", () => {
  assert.equal(cronEvent({ ...FINISHED, action: "started" }, undefined, 0), undefined);
  assert.equal(cronEvent({ ...FINISHED, deliveryStatus: "not-requested" }, undefined, 0), undefined);
  const delivered = { ...FINISHED, deliveryStatus: "delivered", deliveryError: undefined };
  assert.equal(cronEvent(delivered, undefined, 0).status, 200);
  assert.equal(cronEvent(delivered, undefined, 0).endpoint, "nightly");
});

test("an endpoint is a bare URL, else the job's name, else its id", () => {
  assert.equal(endpointOf("telegram:12345", "nightly", "j1"), "nightly");
  assert.equal(endpointOf(undefined, "https://u:p@host/x?y", "j1"), "https://host/x");
  assert.equal(endpointOf(undefined, " ", "j1"), "j1");
  assert.equal(Buffer.byteLength(endpointOf(undefined, "ä".repeat(600), "j1")), 512);
});

test("a message is told without its text, its addressee and its error", () => {
  const sent = { to: "telegram:123", content: "hi", success: false, error: "Call failed, HTTP 403, chat_id=123" };
  const event = messageEvent(sent, { channelId: "telegram", conversationId: "123" }, 7);
  assert.deepEqual(event, { endpoint: "channel:telegram", status: 403, ts: 7 });
  assert.equal(messageEvent({ ...sent, sessionKey: "agent:main:cron:5fc7" }, { channelId: "telegram" }, 7), undefined);
});

/** The plugin as a gateway loads it. */
function registered(pluginConfig) {
  const hooks = new Map();
  const services = [];
  const warnings = [];
  plugin.register({
    pluginConfig,
    logger: { warn: (text) => warnings.push(text) },
    on: (name, handler) => hooks.set(name, handler),
    registerService: (service) => services.push(service),
  });
  return { hooks, services, warnings };
}

test("without a tenant nothing is hooked, and messages are hooked on demand", () => {
  const without = registered({});
  assert.deepEqual([...without.hooks.keys()], []);
  assert.equal(without.warnings.length, 1);
  assert.deepEqual([...registered({ tenant: "acme" }).hooks.keys()], ["cron_changed"]);
  assert.deepEqual([...registered({ tenant: "acme", messages: true }).hooks.keys()], ["cron_changed", "message_sent"]);
});

test("a handler returns nothing to wait for and survives any event", () => {
  const { hooks, services } = registered({ tenant: "acme", messages: true, socket: socketPath() });
  services[0].start();
  const broken = { getCron: () => ({ getJob: () => { throw new Error("no"); } }) };
  for (const event of [undefined, null, {}, 7, FINISHED, { action: "finished", jobId: Symbol("x") }]) {
    for (const handler of hooks.values()) assert.equal(handler(event, broken), undefined);
  }
  services[0].stop();
});
