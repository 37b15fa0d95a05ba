// Plays a session's events. All text is set as text, never as markup.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const root = document.getElementById("replay");
  if (!root) return;
  const button = document.getElementById("replay-play");
  const slider = document.getElementById("replay-at");
  const clock = document.getElementById("replay-clock");
  const speed = document.getElementById("replay-speed");
  const film = document.getElementById("replay-film");
  const events = []; // in order of time, each with its element
  let length = 0;
  let at = 0;
  let next = 0; // the first event that has not begun
  let open = []; // events whose text is still coming
  let playing = false;
  let before = 0; // when the last frame was

  const written = (seconds) => {
    const whole = Math.floor(seconds);
    return Math.floor(whole / 60) + ":" + String(whole % 60).padStart(2, "0");
  };

  function add(event, offset) {
    const line = document.createElement("li");
    line.className = "line film-" + event.kind;
    line.hidden = true;
    const label = document.createElement("span");
    label.className = "lab";
    const named = event.kind === "turn" || event.kind === "outside";
    label.textContent = named ? String(event.turn) : event.kind;
    const box = document.createElement("div");
    if (event.label) {
      const head = document.createElement("b");
      head.textContent = event.label;
      box.append(head);
    }
    const text = document.createElement("pre");
    text.className = "text";
    if (event.text) box.append(text);
    line.append(label, box);
    film.append(line);
    events.push({ at: event.at + offset, until: event.until + offset, text: event.text, line, pre: text });
  }

  // Writes as much of an event as has been said; true while there is more to come.
  function write(event) {
    const share = event.until > event.at ? (at - event.at) / (event.until - event.at) : 1;
    const text = share >= 1 ? event.text : event.text.slice(0, Math.floor(event.text.length * share));
    if (event.pre.textContent !== text) event.pre.textContent = text;
    return share < 1;
  }

  function show() {
    let shown = null;
    while (next < events.length && events[next].at <= at) {
      shown = events[next];
      shown.line.hidden = false;
      open.push(shown);
      next += 1;
    }
    if (open.length) shown = shown || open[open.length - 1];
    open = open.filter(write);
    slider.value = String(at);
    clock.textContent = written(at) + " / " + written(length);
    if (shown && playing) shown.line.scrollIntoView({ block: "nearest" });
  }

  function seek(to) {
    to = length - to < 0.01 ? length : Math.max(to, 0); // the slider rounds its end
    if (to < at) {
      for (const event of events.slice(0, next)) event.line.hidden = true;
      next = 0;
      open = [];
    }
    at = to;
    show();
  }

  function frame(now) {
    if (!playing) return;
    seek(at + ((now - before) / 1000) * Number(speed.value));
    before = now;
    if (at >= length) pause();
    else requestAnimationFrame(frame);
  }

  function pause() {
    playing = false;
    button.textContent = "Play";
  }

  function toggle() {
    if (playing) {
      pause();
      return;
    }
    if (at >= length) seek(0);
    playing = true;
    button.textContent = "Pause";
    before = performance.now();
    requestAnimationFrame(frame);
  }

  async function load() {
    for (let from = 1; from !== null; ) {
      const answer = await fetch(root.dataset.events + "&from=" + from);
      if (!answer.ok) throw new Error(String(answer.status));
      const part = await answer.json();
      for (const event of part.events) add(event, length);
      length += part.seconds;
      slider.max = String(length);
      slider.disabled = button.disabled = false;
      show();
      from = part.next;
    }
  }

  button.addEventListener("click", toggle);
  slider.addEventListener("input", () => seek(Number(slider.value)));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || button.disabled) return;
    if (event.target.closest("a, button, summary, select, input")) return;
    const step = { ArrowLeft: -5, ArrowRight: 5 }[event.key];
    if (event.key === " ") toggle();
    else if (step) seek(at + step);
    else return;
    event.preventDefault();
  });
  load().catch(() => {
    const line = document.createElement("li");
    line.className = "problem";
    line.textContent = "The rest of the session cannot be read now.";
    film.append(line);
  });
});
