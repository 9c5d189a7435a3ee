"use strict";
// Keeps the page fresh. It says everything without this; with it, it follows /v1/stream.
(() => {
  const PULSE = 1000; // ages tick
  const LOOK_EVERY = 10000; // what the stream does not tell: counts, ages, costs
  const SILENCE_MAX = 25000; // after so long without an answer nothing is called current
  const ANSWER_WITHIN = 6000;
  const AGAIN_MAX = 4000;
  const root = document.documentElement;
  const main = document.getElementById("main");
  const live = document.getElementById("live");
  const liveText = document.getElementById("live-text");
  const said = document.getElementById("said");
  const icon = document.getElementById("icon");
  if (!live || !main.dataset.now) return;
  const self = main.dataset.self;
  root.classList.add("js");

  let offset = 0; // the node's clock less ours
  let fresh = Date.now(); // when the node last answered
  let lost = null; // why it is not live, or null
  let stream = null;
  let again = 250;
  let looking = false;
  let wanted = false;

  // As `write_span` in the program: the page must not change its words when the script takes over.
  const span = (millis) => {
    const s = Math.max(0, Math.floor(millis / 1000));
    if (s < 120) return s + " s";
    if (s < 7200) return Math.floor(s / 60) + " min";
    if (s < 172800) return Math.floor(s / 3600) + " h";
    return Math.floor(s / 86400) + " d";
  };
  const write = (node, text) => {
    if (node.textContent !== text) node.textContent = text;
  };
  const clock = (millis) => new Date(millis).toISOString().slice(11, 19);

  const tick = () => {
    const now = Date.now() + offset;
    for (const node of document.querySelectorAll("time")) node.title = node.dateTime;
    for (const node of document.querySelectorAll("time[data-ago]")) write(node, span(now - node.dataset.ago) + " ago");
    for (const node of document.querySelectorAll("time[data-for]")) write(node, span(now - node.dataset.for));
    for (const node of document.querySelectorAll("time[data-until]")) {
      const left = node.dataset.until - now;
      write(node, left > 0 ? "in " + span(left) : "now");
    }
    if (lost === null && Date.now() - fresh > SILENCE_MAX) lose("no answer from readyd");
    if (lost === null) {
      write(liveText, stream && stream.readyState === 1 ? "live" : "live, every " + LOOK_EVERY / 1000 + " s");
    }
  };

  // An old verdict is never shown as the present one.
  const lose = (why) => {
    if (lost !== null) return;
    lost = why;
    const text = "not live since " + clock(fresh + offset) + " UTC: " + why + ". What follows was true then.";
    root.classList.add("lost");
    write(liveText, text);
    const verdict = document.getElementById("verdict");
    if (verdict && verdict.dataset.lost) write(verdict, verdict.dataset.lost);
    document.title = "not live · " + document.title.split(" · ").pop();
    write(said, text);
  };
  const found = () => {
    fresh = Date.now();
    if (lost === null) return;
    lost = null;
    root.classList.remove("lost");
    write(said, "Live again.");
  };

  // Makes `old` as `fresh` is, touching only what differs: focus, selection, scroll and open details stay.
  const key = (node) => node.nodeType === 1 ? node.id || node.dataset.key || "" : "";
  const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && key(a) === key(b);
  const morph = (old, next) => {
    if (old.nodeType !== 1) {
      if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue;
      return;
    }
    const keeps = (name) => (name === "open" && old.nodeName === "DETAILS") || (name === "title" && old.nodeName === "TIME");
    for (const { name } of [...old.attributes]) if (!next.hasAttribute(name) && !keeps(name)) old.removeAttribute(name);
    for (const { name, value } of next.attributes) {
      if (old.getAttribute(name) !== value && !keeps(name)) old.setAttribute(name, value);
    }
    const kept = new Map();
    for (const child of old.childNodes) if (key(child)) kept.set(key(child), child);
    let at = old.firstChild;
    for (const want of [...next.childNodes]) {
      const twin = key(want) ? kept.get(key(want)) : null;
      if (twin && twin !== at && alike(twin, want)) old.insertBefore(twin, at);
      const here = twin && alike(twin, want) ? twin : at;
      if (here && alike(here, want)) {
        morph(here, want);
        at = here.nextSibling;
      } else {
        old.insertBefore(document.importNode(want, true), at);
      }
    }
    while (at) {
      const after = at.nextSibling;
      at.remove();
      at = after;
    }
  };

  const look = async () => {
    if (looking) {
      wanted = true;
      return;
    }
    looking = true;
    wanted = false;
    try {
      const answer = await fetch(self + location.search, {
        headers: { accept: "text/html" },
        cache: "no-store",
        signal: AbortSignal.timeout(ANSWER_WITHIN),
      });
      if (!(answer.headers.get("content-type") || "").startsWith("text/html")) throw new Error("readyd answered " + answer.status);
      const text = await answer.text();
      // Of another readyd: its style would not be let in here.
      if (!text.includes(`data-build="${root.dataset.build}"`)) return location.reload();
      const page = new DOMParser().parseFromString(text, "text/html");
      const next = page.getElementById("main");
      if (next.dataset.now) offset = next.dataset.now - Date.now();
      found();
      morph(main, next);
      const icon2 = page.getElementById("icon");
      if (icon.getAttribute("href") !== icon2.getAttribute("href")) icon.setAttribute("href", icon2.getAttribute("href"));
      document.title = page.title;
      tick();
    } catch (error) {
      if (error instanceof TypeError && !/fetch/.test(error.message)) console.error(error);
      lose(error.name === "TimeoutError" ? "readyd does not answer in time" : error.message.startsWith("readyd") ? error.message : "readyd cannot be reached");
    } finally {
      looking = false;
      if (wanted) look();
    }
  };

  const listen = () => {
    if (stream) stream.close();
    stream = new EventSource("/v1/stream");
    stream.addEventListener("snapshot", () => {
      again = 250;
      look();
    });
    stream.onerror = () => {
      stream.close();
      // Gone, or too many listeners: a look tells which.
      look();
      setTimeout(listen, again);
      again = Math.min(again * 2, AGAIN_MAX);
    };
  };

  document.addEventListener("click", async (event) => {
    const range = event.target.closest("a[data-range]");
    if (range && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      history.replaceState(null, "", range.getAttribute("href"));
      look();
      return;
    }
    const button = event.target.closest("button.copy");
    if (!button) return;
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      write(button, "Copied");
      setTimeout(() => write(button, "Copy"), 2000);
    } catch {
      // Not on localhost or TLS: selected, it is one keystroke away.
      getSelection().selectAllChildren(code);
    }
  });
  // A link to a check that is folded opens it.
  const open = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.nodeName === "DETAILS") {
      target.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", open);
  addEventListener("pageshow", (event) => event.persisted && look());
  addEventListener("online", look);
  document.addEventListener("visibilitychange", () => document.hidden || look());

  open();
  offset = main.dataset.now - Date.now();
  tick();
  setInterval(tick, PULSE);
  setInterval(look, LOOK_EVERY);
  listen();
})();
