// Tells the readyd of this host how webhook deliveries of this gateway ended.
//
// Invariants: a handler returns before anything is written, never throws, and is silent when readyd is away. Handlers
// are given job arguments, output and message text; `event.js` picks the few fields that leave the process.

import { cronEvent, messageEvent } from "./event.js";
import { Sender } from "./sender.js";

const SOCKET = "/run/readyd/events.sock";
const TENANT = /^[a-z0-9][a-z0-9._-]{0,63}$/;

export default {
  id: "readyd",
  name: "readyd",
  description: "Reports how webhook deliveries ended to the readyd of this host",
  register(api) {
    const { tenant, socket = SOCKET, messages = false } = api.pluginConfig ?? {};
    if (typeof tenant !== "string" || !TENANT.test(tenant)) {
      api.logger?.warn?.("readyd: nothing is reported: set plugins.entries.readyd.config.tenant");
      return;
    }
    const sender = new Sender({ socket, producer: `plugin:${tenant}` });
    const report = (event) => event && sender.push({ tenant, ...event });

    // The connection stands while the gateway runs: its end tells readyd that nothing is counted any more.
    api.registerService({ id: "readyd", start: () => sender.open(), stop: () => sender.close() });
    api.on("cron_changed", (event, context) => {
      quietly(() => report(cronEvent(event, targetOf(event, context), Date.now())));
    });
    if (messages) {
      api.on("message_sent", (event, context) => {
        quietly(() => report(messageEvent(event, context, Date.now())));
      });
    }
  },
};

// The job's webhook. The event does not say, the scheduler does; its typed surface has no lookup by id, so
// that a version without one is named by the job instead.
function targetOf(event, context) {
  try {
    const job = context?.getCron?.()?.getJob?.(event.jobId);
    return job?.delivery?.mode === "webhook" ? job.delivery.to : undefined;
  } catch {
    return undefined;
  }
}

function quietly(report) {
  try {
    report();
  } catch {
    // A gateway does not suffer from who watches it.
  }
}
