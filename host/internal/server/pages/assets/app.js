// What the pages do beyond what HTML does by itself: ages and countdowns that
// move, and parts that follow what happens. Without it everything can be read
// and done; the page is then as old as it is.
"use strict";
(() => {
  const body = document.body;
  const state = document.getElementById("live-state");
  const say = (text) => { if (state && state.textContent !== text) state.textContent = text; };

  // The marked entry of a navigation that is wider than the window.
  for (const here of document.querySelectorAll("nav [aria-current]")) {
    const nav = here.closest("nav");
    if (here.offsetLeft + here.offsetWidth > nav.clientWidth) nav.scrollLeft = here.offsetLeft - nav.offsetLeft - 16;
  }

  // The note of a change is shown once: a page that is fetched again has no
  // reason to show it again.
  const url = new URL(location.href);
  if (url.searchParams.has("note")) {
    url.searchParams.delete("note");
    history.replaceState(null, "", url);
  }

  // Ages and countdowns, by the server's clock at the time of drawing.
  const span = (s) => {
    s = Math.max(0, Math.round(s));
    if (s < 60) return s + " s";
    if (s < 3600) return Math.floor(s / 60) + " min " + (s % 60) + " s";
    if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
    return Math.floor(s / 86400) + " d " + Math.floor((s % 86400) / 3600) + " h";
  };
  const drawn = document.querySelector(".foot time");
  const skew = drawn ? Date.now() - Date.parse(drawn.dateTime) : 0;
  const tick = () => {
    const now = Date.now() - skew;
    for (const t of document.querySelectorAll("time[data-ago], time[data-until]")) {
      const left = (Date.parse(t.dateTime) - now) / 1000;
      let text = (left <= -60 && left > -3600 ? Math.floor(-left / 60) + " min" : span(-left)) + " ago";
      if (t.hasAttribute("data-until")) text = left > 0 ? "in " + span(Math.ceil(left)) : "at any moment";
      if (t.textContent !== text) t.textContent = text;
    }
  };
  setInterval(() => { if (!document.hidden) tick(); }, 1000);

  // Fresh parts are those that the page marks as such. They are brought up to
  // date in place, so that the focus, what is open and what is typed stay.
  const typed = (e) => {
    if (e.type === "checkbox" || e.type === "radio") return e.checked !== e.defaultChecked;
    if (e.tagName === "SELECT") return [...e.options].some((o) => o.selected !== o.defaultSelected) && e.dataset.touched;
    return e.value !== e.defaultValue;
  };
  addEventListener("input", (e) => { if (e.target.dataset) e.target.dataset.touched = "1"; });
  const busy = (part) => [...part.querySelectorAll("input, textarea, select")].some((e) => e.type !== "hidden" && (e === document.activeElement || typed(e)));
  const morph = (a, b) => {
    if (a.nodeType !== b.nodeType || a.nodeName !== b.nodeName) { a.replaceWith(b.cloneNode(true)); return; }
    if (a.nodeType !== Node.ELEMENT_NODE) { if (a.data !== b.data) a.data = b.data; return; }
    for (const { name } of [...a.attributes]) if (!b.hasAttribute(name) && name !== "open" && name !== "data-touched") a.removeAttribute(name);
    for (const { name, value } of b.attributes) if (a.getAttribute(name) !== value) a.setAttribute(name, value);
    if (a.hasAttribute("data-ago") || a.hasAttribute("data-until")) return; // the clock's
    const from = [...a.childNodes], to = [...b.childNodes];
    for (let i = 0; i < to.length; i++) {
      if (i < from.length) morph(from[i], to[i]);
      else a.append(to[i].cloneNode(true));
    }
    for (let i = to.length; i < from.length; i++) from[i].remove();
  };
  let fetching = false, again = false, cost = 0, over = false;
  // The session has ended: to ask on would count as guessing.
  const leave = () => { over = true; delete body.dataset.live; hangUp(); say("· logged out"); };
  const refresh = async () => {
    if (over) return;
    if (fetching) { again = true; return; }
    fetching = true;
    const began = performance.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
      if (answer.status === 401) return leave();
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-fresh][id]")) {
        const next = page.getElementById(part.id);
        if (next && !busy(part)) morph(part, next);
      }
      if (!page.body.dataset.live && body.dataset.live) { delete body.dataset.live; hangUp(); say(""); }
      else if (page.body.dataset.live && !body.dataset.live) { body.dataset.live = page.body.dataset.live; dial(); } // it goes on after all
      tick();
    } catch { say("· not connected"); }
    cost = performance.now() - began;
    fetching = false;
    if (again) { again = false; soon(); }
  };
  // However much happens, the page takes a part of the time only.
  let timer = 0, last = 0;
  const soon = () => {
    if (timer) return;
    const pause = Math.max(250, cost * 4);
    timer = setTimeout(() => { timer = 0; last = performance.now(); refresh(); }, Math.max(30, last + pause - performance.now()));
  };

  // One stream of events a tab, closed while nobody looks, taken up where it was.
  let settled = 0, line = null, seen = body.dataset.after || "0", wait = 1000, retry = 0;
  const hangUp = () => { clearTimeout(retry); clearTimeout(settled); if (line) { line.abort(); line = null; } };
  const dial = async () => {
    if (line || document.hidden || !body.dataset.live) return;
    const mine = line = new AbortController();
    try {
      const answer = await fetch(body.dataset.live, { headers: { Accept: "text/event-stream", "Last-Event-ID": seen }, signal: mine.signal });
      if (answer.status === 401) return leave();
      if (answer.status === 204) { delete body.dataset.live; say(""); line = null; soon(); return; } // it has ended, maybe since the page was drawn
      if (!answer.ok || !answer.body) throw new Error(String(answer.status));
      say("· live");
      wait = 1000;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        if (rest.length > 1 << 16 && !rest.startsWith("id:")) rest = "data:"; // nothing in it is needed
        for (const l of lines) if (l.startsWith("id:")) { seen = l.slice(3).trim(); soon(); clearTimeout(settled); settled = setTimeout(soon, 1500); } // and once more: what is told may be recorded a moment later
      }
      soon(); // the run has ended, or the server is going
    } catch { if (!mine.signal.aborted) say("· not connected"); }
    if (line !== mine) return;
    line = null;
    if (!document.hidden) retry = setTimeout(dial, wait = Math.min(wait * 2, 30000));
  };
  const every = Number(body.dataset.every || 0) * 1000;
  if (every) setInterval(() => { if (!document.hidden) refresh(); }, every);
  if (body.dataset.live) dial();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { if (line || retry) { hangUp(); say("· paused"); } }
    else { tick(); if (every || body.dataset.live) soon(); dial(); }
  });
  addEventListener("pagehide", hangUp);
  addEventListener("pageshow", (e) => { if (e.persisted) { soon(); dial(); } });

  // An open menu closes with Escape and when something else is clicked.
  const shut = (but) => { for (const d of document.querySelectorAll("details.menu[open]")) if (d !== but) d.open = false; };
  addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    const open = document.querySelector("details.menu[open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); }
  });
  addEventListener("click", (e) => shut(e.target.closest ? e.target.closest("details.menu") : null));
  // A form is sent once.
  addEventListener("submit", (e) => {
    if (e.target.method !== "post") return;
    if (e.target.dataset.sent) { e.preventDefault(); return; }
    e.target.dataset.sent = "1";
  });
  addEventListener("pageshow", () => { for (const f of document.forms) delete f.dataset.sent; });
})();
