// What htmx does not do: theme, keys, countdowns, and one event stream for all open tabs.
"use strict";

// Before anything is painted.
(() => {
  const kept = localStorage.getItem("theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
})();

document.addEventListener("DOMContentLoaded", () => {
  const body = document.body;
  const pane = document.getElementById("pane");
  const list = document.getElementById("list");
  const csrf = JSON.parse(body.getAttribute("hx-headers") || "{}")["X-CSRF-Token"] || "";

  function say(text) {
    document.getElementById("said").textContent = text;
  }

  // Theme: as the system has it, or as chosen. Dark styles that the system asks for are set here,
  // too, so that the style sheet has one name for dark.
  const system = matchMedia("(prefers-color-scheme: dark)");
  function paint() {
    const kept = localStorage.getItem("theme");
    const chosen = kept === "light" || kept === "dark" ? kept : null;
    document.documentElement.dataset.theme = chosen || (system.matches ? "dark" : "light");
    document.getElementById("theme").textContent = chosen === "light" ? "Light" : chosen === "dark" ? "Dark" : "Auto";
  }
  system.addEventListener("change", paint);
  document.getElementById("theme").addEventListener("click", () => {
    const next = { light: "dark", dark: "auto" }[localStorage.getItem("theme")] || "light";
    localStorage.setItem("theme", next);
    paint();
    say("Theme: " + next);
  });
  paint();

  // The list and the card fill what the bar and the banners leave.
  function measure() {
    const main = document.getElementById("main");
    document.documentElement.style.setProperty("--top", main.offsetTop + "px");
  }
  addEventListener("resize", measure);
  measure();

  // Countdowns go by the server's clock.
  const skew = Date.parse(body.dataset.now) - Date.now();
  function tick() {
    for (const each of document.querySelectorAll("[data-expires]")) {
      const left = Math.floor((Date.parse(each.dataset.expires) - Date.now() - skew) / 1000);
      const two = (n) => String(n).padStart(2, "0");
      const hours = Math.floor(left / 3600);
      const text =
        left <= 0 ? "over" : hours ? hours + ":" + two(Math.floor(left / 60) % 60) + ":" + two(left % 60) : Math.floor(left / 60) + ":" + two(left % 60);
      if (each.textContent !== text) each.textContent = text;
      each.classList.toggle("soon", left < 60);
    }
  }
  setInterval(tick, 1000);
  tick();

  // The card that is chosen.
  let chosen = card() ? card().dataset.id : null;
  // The one that was put into the pane last, or is on its way there.
  let opened = chosen;
  // Where it stands in the list, or stood before it left.
  let place = 0;
  const known = new Set(rows().map((row) => row.dataset.id));

  function card() {
    return document.getElementById("card");
  }
  function open(shown) {
    return ["pending", "approved"].includes(shown.dataset.state);
  }
  function rows() {
    return list ? [...list.querySelectorAll(".row")] : [];
  }
  function wide() {
    return pane && list && getComputedStyle(pane).display !== "none";
  }
  function highlight() {
    for (const row of rows()) {
      if (row.dataset.id === chosen && wide()) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }
  function choose(row) {
    if (!row) return;
    chosen = row.dataset.id;
    place = rows().indexOf(row);
    highlight();
    row.scrollIntoView({ block: "nearest" });
    if (!wide()) {
      row.focus();
      return;
    }
    // Asked for again, it would take away what was typed into it; `look` keeps it up to date.
    const shown = card();
    const same = shown && shown.dataset.id === chosen;
    if (opened === chosen && (!same || open(shown))) return;
    opened = chosen;
    pane.scrollTop = 0;
    htmx.ajax("GET", row.getAttribute("href"), { target: "#pane", swap: "innerHTML" });
  }
  function step(by) {
    const all = rows();
    const at = all.findIndex((row) => row.dataset.id === chosen);
    if (at >= 0) choose(all[Math.min(Math.max(at + by, 0), all.length - 1)]);
    else choose(all[Math.min(by > 0 ? place : Math.max(place - 1, 0), all.length - 1)]);
  }
  highlight();

  if (list) {
    list.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (!row || !wide() || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
      event.preventDefault();
      choose(row);
    });
    const at = () => rows().findIndex((row) => row.dataset.id === chosen);
    place = Math.max(at(), 0);
    body.addEventListener("htmx:afterSwap", (event) => {
      if (event.detail.target !== list) return;
      const fresh = rows().filter((row) => !known.has(row.dataset.id));
      for (const row of fresh) {
        known.add(row.dataset.id);
        row.classList.add("fresh");
      }
      const titles = fresh.map((row) => row.dataset.new).filter(Boolean);
      if (titles.length) say(titles.length + " new: " + titles.slice(0, 3).join(", "));
      document.getElementById("count").textContent = Number(document.getElementById("figures").dataset.count).toLocaleString("en");
      if (at() >= 0) place = at();
      highlight();
      tick();
      // Nothing was chosen since nothing was there.
      if (wide() && chosen === null) choose(rows()[0]);
    });
  }
  body.addEventListener("htmx:afterSwap", tick);
  function failed(text) {
    opened = null;
    say(text);
  }
  body.addEventListener("htmx:responseError", () => failed("That did not work; see the page."));
  body.addEventListener("htmx:sendError", () => failed("proctor cannot be reached."));
  body.addEventListener("htmx:beforeSwap", (event) => {
    // A whole page in answer to a part means: not signed in any more.
    if (new URL(event.detail.xhr.responseURL || location.href).pathname.startsWith("/login")) {
      event.detail.shouldSwap = false;
      location.reload();
    }
  });

  // Somebody else may decide what is on the screen: look again, and keep what was typed.
  let looking = false;
  let again = false; // something changed while we looked: what we got may be from before it
  async function look() {
    const shown = card();
    again = looking;
    if (looking || !shown || !open(shown)) return;
    looking = true;
    try {
      const path = "/approvals/" + encodeURIComponent(shown.dataset.id);
      const answer = await fetch(path, { headers: { "HX-Request": "true" } });
      if (!answer.ok) return;
      const text = await answer.text();
      const next = new DOMParser().parseFromString(text, "text/html").getElementById("card");
      if (!next || card() !== shown || next.dataset.version === shown.dataset.version) return;
      const typed = [...pane.querySelectorAll("input")].some((field) => field.value !== field.defaultValue);
      if (typed) say("This has changed meanwhile: now " + next.dataset.state + ".");
      else htmx.swap(pane, text, { swapStyle: "innerHTML" });
      tick();
    } finally {
      looking = false;
      if (again) look();
    }
  }

  function changed() {
    body.dispatchEvent(new CustomEvent("changed"));
    look();
  }

  // One stream for all tabs: browsers open six connections to a host, and each stream is one.
  if (body.dataset.events) {
    const others = new BroadcastChannel("proctor");
    others.addEventListener("message", changed);
    const follow = () => {
      const stream = new EventSource(body.dataset.events);
      stream.addEventListener("changed", () => {
        others.postMessage("changed");
        changed();
      });
      // A browser gives up on an answer that is no stream, such as a sign-in that has ended.
      stream.addEventListener("error", () => {
        if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 5000);
      });
    };
    if (navigator.locks) navigator.locks.request("proctor-events", () => (follow(), new Promise(() => {})));
    else follow();
  }

  // Keys.
  const help = document.getElementById("help");
  function press(key) {
    const button = pane && pane.querySelector('[data-key="' + key + '"]');
    if (!button) {
      say("Nothing to decide here.");
      return;
    }
    const form = button.form;
    const reason = form.elements.namedItem("reason");
    if (!form.checkValidity() && reason && !reason.value) {
      reason.focus();
      say("The rule wants a reason.");
      reason.dataset.then = key;
      return;
    }
    // As if by mouse: htmx takes the answer from the button that was clicked.
    htmx.process(form); // a key may be quicker than htmx with a new card
    button.click();
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
    const field = event.target.closest("input, select, textarea");
    if (event.key === "Escape" && field) {
      field.blur();
      return;
    }
    // Enter in the reason answers only as the key that led there asked; else it does nothing.
    if (event.key === "Enter" && field && field.id === "reason") {
      event.preventDefault();
      if (field.dataset.then && field.value.trim()) press(field.dataset.then);
      return;
    }
    if (field || (help && help.open)) return;
    const does = {
      j: () => step(1),
      k: () => step(-1),
      a: () => press("a"),
      d: () => press("d"),
      r: () => document.getElementById("reason")?.focus(),
      "?": () => help && help.showModal(),
      Enter: () => {
        const row = rows().find((each) => each.dataset.id === chosen);
        if (row) location.assign(row.getAttribute("href"));
      },
    }[event.key];
    if (!does || (event.key === "Enter" && event.target.closest("a, button, summary"))) return;
    event.preventDefault();
    does();
  });
  document.getElementById("help-open")?.addEventListener("click", () => help.showModal());

  // Forms that are for the API.
  for (const form of document.querySelectorAll("form[data-api]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const told = form.querySelector(".answer");
      const fields = {};
      for (const field of form.elements) {
        if (!field.name || field.name === "csrf" || !field.value.trim()) continue;
        fields[field.name] = "number" in field.dataset ? Number(field.value) : field.value.trim();
      }
      try {
        const answer = await fetch(form.dataset.api, {
          method: "POST",
          headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
          body: JSON.stringify(fields),
        });
        const said = await answer.json();
        told.textContent = answer.ok ? form.dataset.then + " " + said.id + "." : said.detail;
        told.classList.toggle("no", !answer.ok);
        if (answer.ok) form.reset();
      } catch {
        told.textContent = "proctor cannot be reached.";
      }
    });
  }
});
