// A browser for `tests/peers/page.rs`: a line of JSON in, a line of JSON out.
import { createRequire } from "node:module";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [, , modules, executablePath] = process.argv;
const require = createRequire(join(modules, "here.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const profile = mkdtempSync(join(tmpdir(), "readyd-page-"));
const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
flags.push("--disable-background-networking", "--disable-component-update", "--disable-sync");

let context = null;
let page = null;
let origin = "";
let trouble = [];

const watch = (opened) => {
  opened.on("console", (message) => message.type() === "error" && trouble.push("console: " + message.text()));
  opened.on("pageerror", (error) => trouble.push("error: " + error.message));
  opened.on("dialog", (dialog) => {
    trouble.push("dialog: " + dialog.message());
    dialog.dismiss();
  });
  opened.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(origin + "/") && !url.startsWith("data:")) trouble.push("request: " + url);
  });
};

const ops = {
  // A new browser with an empty profile: nothing of an earlier page is left.
  async open({ url, width = 1280, height = 900, scheme = "light", script = true }) {
    if (context) await context.close();
    origin = new URL(url).origin;
    context = await chromium.launchPersistentContext(mkdtempSync(join(profile, "profile-")), {
      executablePath,
      args: flags,
      viewport: { width, height },
      colorScheme: scheme,
      javaScriptEnabled: script,
      reducedMotion: "reduce",
    });
    page = context.pages()[0] ?? (await context.newPage());
    watch(page);
    await page.addInitScript(() => {
      window.violations = [];
      document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective + " " + event.blockedURI));
    });
    const answer = await page.goto(url, { waitUntil: "load" });
    return { status: answer.status() };
  },
  async evaluate({ expression }) {
    return { value: await page.evaluate(expression) };
  },
  async text({ selector = "body" }) {
    return { value: await page.locator(selector).first().innerText() };
  },
  // Until an expression is true; when that was, in Unix milliseconds.
  async until({ expression, within }) {
    const end = Date.now() + within;
    for (;;) {
      if (await page.evaluate(expression)) return { at: Date.now() };
      if (Date.now() > end) throw new Error("after " + within + " ms not: " + expression + "\n" + (await page.locator("body").innerText()));
      await new Promise((again) => setTimeout(again, 10));
    }
  },
  async press({ key, times = 1 }) {
    for (let time = 0; time < times; time++) await page.keyboard.press(key);
    return {};
  },
  async axe() {
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    const serious = found.violations.filter((one) => ["serious", "critical"].includes(one.impact));
    return { value: serious.map((one) => one.id + ": " + one.nodes.map((node) => node.html + " " + node.failureSummary).join("; ")), passes: found.passes.length };
  },
  async trouble() {
    const found = trouble.concat((await page.evaluate(() => window.violations ?? [])).map((one) => "policy: " + one));
    trouble = [];
    return { value: found };
  },
  async screenshot({ path }) {
    await page.screenshot({ path, animations: "disabled" });
    return {};
  },
};

try {
  for await (const line of createInterface({ input: process.stdin })) {
    const { op, ...rest } = JSON.parse(line);
    let answer;
    try {
      answer = await ops[op](rest);
    } catch (error) {
      answer = { error: String(error.stack ?? error) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
} finally {
  if (context) await context.close().catch(() => {});
  rmSync(profile, { recursive: true, force: true });
}
