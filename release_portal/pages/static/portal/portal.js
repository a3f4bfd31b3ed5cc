/* Release portal. Everything works without this file except live output. No dependency; htmx is used where it is there. */
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const each = (scope, selector, act) => {
    if (scope.matches && scope.matches(selector)) act(scope);
    scope.querySelectorAll(selector).forEach(act);
  };
  const say = (key, fallback) => (document.body && document.body.dataset[key]) || fallback;
  const later = (ms) => new Promise((done) => setTimeout(done, ms));

  function toast(text) {
    const box = document.getElementById("toasts");
    if (!box || !text) return;
    const line = document.createElement("p");
    line.textContent = text;
    box.append(line);
    setTimeout(() => line.remove(), 6000);
  }

  // Storage can be switched off by the browser; then drafts are simply not kept.
  const store = {
    get(key) { try { return sessionStorage.getItem(key); } catch { return null; } },
    set(key, value) { try { sessionStorage.setItem(key, value); } catch { /* not kept */ } },
    drop(key) { try { sessionStorage.removeItem(key); } catch { /* not kept */ } },
    keys() { try { return Object.keys(sessionStorage); } catch { return []; } },
  };

  /* Live output ---------------------------------------------------------------------------------------------------- */

  const open = new Set(); // streams that are connected or will reconnect

  class Stream {
    constructor(box) {
      this.box = box;
      this.panes = new Map();
      each(box, "[data-sample]", (pane) => this.panes.set(pane.dataset.sample, { pane, tokens: 0, rest: "", text: pane.appendChild(document.createTextNode("")) }));
      this.find = (name) => box.querySelector(`[data-${name}]`);
      this.seen = new Set();
      this.lastId = "";
      this.attempts = 0;
      this.spoken = [];
      this.isOver = false;
      const stop = this.find("stop");
      if (stop) stop.addEventListener("submit", (event) => { event.preventDefault(); this.stop(); });
      this.state("waiting");
      this.connect();
    }

    word(name) {
      const key = "say" + name.replace(/(^|-)(\w)/g, (_, __, letter) => letter.toUpperCase());
      return this.box.dataset[key] || name;
    }

    state(name, text) {
      this.box.dataset.state = name;
      const line = this.find("status");
      const words = text || this.word(name);
      if (line && line.textContent !== words) line.textContent = words;
    }

    connect() {
      if (this.isOver) return;
      open.add(this);
      const url = new URL(this.box.dataset.streamUrl, location.href);
      if (url.origin !== location.origin) return;
      if (this.lastId) url.searchParams.set("last_event_id", this.lastId);
      const source = (this.source = new EventSource(url));
      const on = (name, act) => source.addEventListener(name, (event) => {
        if (this.isOver || source !== this.source) return;
        if (event.lastEventId) {
          if (this.seen.has(event.lastEventId)) return;
          this.seen.add(event.lastEventId);
          this.lastId = event.lastEventId;
        }
        this.attempts = 0;
        let data = {};
        try { data = JSON.parse(event.data || "{}"); } catch { return; }
        act(data);
      });
      on("started", () => this.run());
      on("tokens", (list) => { this.run(); (Array.isArray(list) ? list : [list]).forEach((chunk) => this.add(chunk)); this.count(); });
      on("output", (samples) => this.replace(samples));
      on("end", (data) => this.end(data));
      source.onopen = () => { if (this.box.dataset.state === "reconnecting") this.state(this.startedAt ? "running" : "waiting"); };
      source.onerror = () => {
        if (this.isOver || source !== this.source) return;
        if (this.box.dataset.state !== "stopping") this.state("reconnecting");
        // The browser reconnects by itself after a broken connection, but not after an answer that is no stream.
        if (source.readyState === EventSource.CLOSED) this.retry();
      };
    }

    retry() {
      this.attempts += 1;
      if (this.attempts > 6) return this.lose();
      const wait = Math.min(8000, 500 * 2 ** (this.attempts - 1));
      later(wait).then(() => { if (open.has(this) && !this.isOver) this.connect(); });
    }

    run() {
      if (this.box.dataset.state !== "stopping") this.state("running");
      if (this.startedAt) return;
      this.startedAt = performance.now();
      this.clock = setInterval(() => this.time(), 100);
    }

    time() {
      const place = this.find("elapsed");
      if (place && this.startedAt) place.textContent = ((performance.now() - this.startedAt) / 1000).toFixed(1);
      if (this.spoken.length && performance.now() - (this.spokenAt || 0) > 2500) this.speak();
    }

    add(chunk) {
      const entry = this.panes.get(String(chunk.sample || 0));
      if (!entry) return;
      if (chunk.tokens !== undefined) entry.tokens = Number(chunk.tokens) || 0; // of this sample so far, this step included
      if (chunk.text) {
        entry.text.appendData(chunk.text);
        entry.rest += chunk.text;
        const cut = entry.rest.search(/[.!?\u2026\u3002\n]["'\u201d\u2019)\]]*\s[^]*$/);
        if (cut >= 0) {
          const end = entry.rest.slice(cut).search(/\s/) + cut;
          this.queue(chunk.sample || 0, entry.rest.slice(0, end));
          entry.rest = entry.rest.slice(end);
        }
      }
      if (chunk.finish) {
        const box = entry.pane.closest("[data-sample-box]");
        if (box) box.dataset.finish = chunk.finish;
        this.queue(chunk.sample || 0, entry.rest);
        entry.rest = "";
      }
    }

    // What is kept of a finished text, when the stream it came from is gone: the page may lack a part of it.
    replace(samples) {
      samples.forEach((kept, sample) => {
        const entry = this.panes.get(String(sample));
        if (!entry) return;
        entry.rest += kept.text.slice(entry.text.length);
        entry.text.data = kept.text;
        entry.tokens = kept.tokens;
      });
      this.count();
    }

    queue(sample, sentence) {
      const text = sentence.trim();
      if (text) this.spoken.push(this.panes.size > 1 ? `${this.word("sample")} ${Number(sample) + 1}: ${text}` : text);
    }

    speak() {
      const region = this.find("live");
      this.spokenAt = performance.now();
      if (region) region.textContent = this.spoken.join(" ");
      this.spoken = [];
    }

    count(exact) {
      const place = this.find("tokens");
      let made = exact;
      if (made === undefined) { made = 0; this.panes.forEach((entry) => { made += entry.tokens; }); }
      if (place) place.textContent = made.toLocaleString(root.lang || undefined);
    }

    close() {
      open.delete(this);
      clearInterval(this.clock);
      if (this.source) this.source.close();
      this.source = null;
    }

    finish() {
      this.isOver = true;
      this.time();
      this.close();
      this.speak();
      const stop = this.find("stop");
      if (stop) {
        if (stop.contains(document.activeElement)) {
          this.box.tabIndex = -1;
          this.box.focus({ preventScroll: true });
        }
        stop.hidden = true;
      }
    }

    end(data) {
      each(this.box, "[data-sample-box]", (box) => { if (!box.dataset.finish) box.dataset.finish = data.reason || "end"; });
      this.panes.forEach((entry, sample) => { this.queue(sample, entry.rest); entry.rest = ""; });
      this.finish();
      if (data.usage && data.usage.completion_tokens !== undefined) this.count(Number(data.usage.completion_tokens));
      this.state(data.is_success ? "ended" : "failed", data.message);
      this.detail(data.detail_url);
      this.box.dispatchEvent(new CustomEvent("portal:end", { bubbles: true, detail: data }));
    }

    lose() {
      this.finish();
      this.state("failed", this.word("lost"));
    }

    async detail(address) {
      const place = this.find("result");
      if (!place || !address) return;
      const url = new URL(address, location.href);
      if (url.origin !== location.origin) return;
      // Settlement writes the row a moment after the last token, so ask again while it is not there.
      for (const wait of [0, 400, 1200, 3000]) {
        await later(wait);
        try {
          const answer = await fetch(url, { credentials: "same-origin", headers: { "X-Requested-With": "fetch", "HX-Request": "true" } });
          if (answer.status === 202 || answer.status === 404 || answer.status === 409) continue;
          if (!answer.ok) return;
          place.innerHTML = await answer.text();
          if (window.htmx) window.htmx.process(place);
          bind(place);
          return;
        } catch { /* asked again */ }
      }
    }

    async stop() {
      const form = this.find("stop");
      if (this.isOver || !form || this.isStopping) return;
      this.isStopping = true;
      const before = this.box.dataset.state;
      const button = form.querySelector("button");
      if (button) button.setAttribute("aria-busy", "true");
      this.state("stopping");
      try {
        const answer = await fetch(form.action, { method: "POST", body: new FormData(form), credentials: "same-origin", headers: { "X-Requested-With": "fetch" } });
        if (!answer.ok && answer.status !== 409) throw new Error(String(answer.status));
      } catch {
        if (!this.isOver) {
          this.isStopping = false;
          this.state(before);
          toast(this.word("stop-failed"));
        }
      }
      if (button) button.removeAttribute("aria-busy");
    }
  }

  const stoppable = () => [...open].filter((stream) => stream.find("stop"));
  window.addEventListener("pagehide", () => open.forEach((stream) => { if (stream.source) stream.source.close(); }));

  /* Forms ---------------------------------------------------------------------------------------------------------- */

  function busy(form, is) {
    if (is) form.dataset.busy = "";
    else delete form.dataset.busy;
    const buttons = [...form.elements].filter((item) => item.type === "submit");
    buttons.forEach((button) => {
      if (is) button.setAttribute("aria-busy", "true");
      else button.removeAttribute("aria-busy");
    });
  }

  // A busy form refuses a second submit; its buttons stay focusable, so nobody loses their place.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-saving]")) { // sent as soon as the draft that is on its way has arrived
      event.preventDefault();
      event.stopImmediatePropagation();
      form.portalSubmitter = event.submitter;
      return;
    }
    if (form.matches("[data-busy]")) { event.preventDefault(); event.stopImmediatePropagation(); }
  }, true);
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-sign-out]")) store.keys().filter((key) => key.startsWith("keep:") || key.startsWith("sent:")).forEach(store.drop);
    if (event.defaultPrevented || form.method !== "post") return;
    each(form, "textarea[data-keep]", (area) => { keep(area); store.set("sent:" + area.dataset.keep, "1"); });
    if (form.target && form.target !== "_self") return;
    if (form.matches("[data-autosave]")) form.dataset.leaving = "";
    busy(form, true);
    setTimeout(() => busy(form, false), 15000);
  });
  window.addEventListener("pageshow", (event) => {
    each(document, "form[data-busy]", (form) => busy(form, false));
    each(document, "form[data-leaving]", (form) => delete form.dataset.leaving);
    if (event.persisted) open.forEach((stream) => stream.connect());
  });

  const keep = (area) => {
    if (area.value) store.set("keep:" + area.dataset.keep, area.value);
    else store.drop("keep:" + area.dataset.keep);
  };

  // A draft that was sent, and whose form did not come back, has arrived. Error pages say that they do not count.
  function settleDrafts() {
    if (document.body.hasAttribute("data-keep-drafts")) return;
    store.keys().filter((key) => key.startsWith("sent:")).forEach((key) => {
      const name = key.slice(5);
      store.drop(key);
      if (!document.querySelector(`textarea[data-keep="${CSS.escape(name)}"]`)) store.drop("keep:" + name);
    });
  }

  /* Bind what a page or a fragment brings -------------------------------------------------------------------------- */

  function bind(scope) {
    each(scope, "[data-stream-url]", (box) => {
      if (box.portalStream || !box.dataset.streamUrl) return;
      open.forEach((stream) => { if (!stream.box.isConnected) stream.close(); });
      box.portalStream = new Stream(box);
    });
    each(scope, "textarea[data-keep]", (area) => {
      if (area.portalKeep) return;
      area.portalKeep = true;
      const draft = store.get("keep:" + area.dataset.keep);
      if (draft && (!area.value || "keepOver" in area.dataset)) area.value = draft; // over: the name says over which version
      area.addEventListener("input", () => keep(area));
      if (area.form) area.form.addEventListener("reset", () => store.drop("keep:" + area.dataset.keep));
    });
    each(scope, ".rail details", (rail) => { // wide: always open; narrow: opens like a select
      const wide = matchMedia("(min-width: 60rem)");
      const fit = () => { rail.open = wide.matches; };
      fit();
      if (!rail.portalRail) wide.addEventListener("change", fit);
      rail.portalRail = true;
    });
    each(scope, "[data-focus]", (box) => box.focus());
    each(scope, "table", (table) => { // rows that become blocks on phones stay a table for screen readers
      const role = (selector, name) => table.querySelectorAll(selector).forEach((item) => item.hasAttribute("role") || item.setAttribute("role", name));
      table.setAttribute("role", "table");
      role("thead, tbody, tfoot", "rowgroup"); role("tr", "row"); role("td", "cell"); role("th[scope=row]", "rowheader"); role("th:not([scope=row])", "columnheader");
    });
  }

  async function copy(button) {
    const from = button.dataset.copyFrom ? document.querySelector(button.dataset.copyFrom) : null;
    const text = from ? (from.value !== undefined ? from.value : from.textContent) : button.dataset.copy;
    try {
      if (navigator.clipboard) await navigator.clipboard.writeText(text);
      else {
        const area = document.createElement("textarea");
        area.className = "hidden";
        area.value = text;
        document.body.append(area);
        area.select();
        const done = document.execCommand("copy");
        area.remove();
        button.focus();
        if (!done) throw new Error("refused");
      }
      toast(say("sayCopied", "Copied"));
    } catch { toast(say("sayCopyFailed", "Copying is not possible here. Select the text instead.")); }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    const link = event.target.closest(".error-summary a[href^='#']");
    const aim = link && document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (aim) {
      event.preventDefault();
      const input = aim.matches("input, select, textarea") ? aim : aim.querySelector("input, select, textarea") || aim;
      (input.closest(".field") || input).scrollIntoView();
      input.focus({ preventScroll: true });
    }
    each(document, "details.menu[open]", (menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });

  // The prompt and after it the samples, in the order of the page: the next one from where the focus is.
  function walk(step) {
    const prompt = document.querySelector("form[data-playground] [name=prompt]");
    const places = [prompt, ...document.querySelectorAll(".sample")].filter(Boolean);
    const here = places.findIndex((place) => place.contains(document.activeElement));
    const next = places[Math.max(0, here) + step];
    if (!next || places.length < 2) return false;
    if (next !== prompt) next.tabIndex = -1;
    next.focus();
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented) return;
    const isTyping = event.target.matches("input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]");
    const dialog = document.getElementById("shortcuts");
    if (event.key === "?" && dialog && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      if (!dialog.open) dialog.showModal();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const form = event.target.closest("form[data-playground]") || document.querySelector("form[data-playground]");
      if (form && !document.querySelector("dialog[open]")) { event.preventDefault(); form.requestSubmit(); }
    } else if (event.altKey && !event.ctrlKey && !event.metaKey && (event.code === "KeyJ" || event.code === "KeyK")) {
      if (document.querySelector("dialog[open]")) return;
      if (walk(event.code === "KeyJ" ? 1 : -1)) event.preventDefault();
    } else if (event.key === "Escape") {
      if (document.querySelector("dialog[open]")) return;
      const menu = document.querySelector("details.menu[open]");
      if (menu) { menu.open = false; menu.querySelector("summary").focus(); return; }
      const streams = stoppable();
      if (streams.length) { event.preventDefault(); streams.forEach((stream) => stream.stop()); }
    }
  });

  /* htmx ----------------------------------------------------------------------------------------------------------- */

  document.addEventListener("htmx:beforeRequest", (event) => {
    const form = event.detail.elt;
    if (!form.matches("form")) return;
    each(form, "textarea[data-keep]", keep);
    if (!form.matches("[data-autosave]")) busy(form, true);
    else if (form.matches("[data-leaving]")) event.preventDefault(); // what is written goes with the form itself
    else form.dataset.saving = "";
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.detail.elt;
    if (!form.matches("form")) return;
    busy(form, false);
    delete form.dataset.saving;
    const by = form.portalSubmitter;
    if (by === undefined) return;
    delete form.portalSubmitter;
    form.requestSubmit(by);
  });
  document.addEventListener("htmx:sendError", () => toast(say("sayNoAnswer", "The portal does not answer. What you typed is kept; try again.")));
  document.addEventListener("htmx:beforeSwap", (event) => {
    // A whole page instead of a fragment: never put it into a part of this one.
    const { xhr } = event.detail;
    if (xhr.status >= 400 && (!xhr.responseText || /^\s*<!doctype/i.test(xhr.responseText))) {
      event.detail.shouldSwap = false;
      toast(`${say("sayRefused", "The portal answered with an error. What you typed is kept.")} (${xhr.status})`);
    }
  });
  document.addEventListener("htmx:beforeCleanupElement", (event) => {
    const { elt } = event.detail;
    open.forEach((stream) => { if (elt === stream.box) stream.close(); });
  });
  document.addEventListener("portal:toast", (event) => toast(event.detail && (event.detail.text || event.detail.value)));

  const start = () => {
    settleDrafts();
    bind(document);
    if (window.htmx) window.htmx.onLoad(bind);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
