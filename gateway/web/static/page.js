// Keeps a page up to date: puts in place the parts that the server sends, says when it does not hear from it any more,
// and asks before an action. All markup comes from the server, which escapes it; text made here is set as text.
"use strict";

const SILENCE = 9000; // ms without a word, of which one comes every three seconds: then the page is not live
const AGAIN = 2000; // ms before a stream that the server has refused is tried again
const body = document.body;
const byId = (id) => document.getElementById(id);

// ---- theme: as the system says, or as chosen here

const THEMES = ["auto", "dark", "light"];

function showTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId("theme").textContent = "◐";
  byId("theme").title = `Theme: ${theme}`;
  byId("theme").setAttribute("aria-label", `Theme: ${theme}`);
}

function startTheme() {
  const button = byId("theme");
  if (!button) return;
  let theme = localStorage.getItem("theme") || "auto";
  button.hidden = false;
  showTheme(theme);
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    localStorage.setItem("theme", theme);
    showTheme(theme);
  });
}

// ---- parts

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    const timeStyle = time.closest(".trail") ? "medium" : "short"; // with seconds where much happens in a minute
    time.textContent = moment.toLocaleString([], { dateStyle: "medium", timeStyle });
  }
}

// Where each package of a drawing is, by UID; and then each that is elsewhere now goes there from where it was.

function places(part) {
  const found = new Map();
  for (const dot of part.querySelectorAll("[data-move]")) found.set(dot.dataset.move, [dot.cx.baseVal.value, dot.cy.baseVal.value]);
  return found;
}

function moveFrom(part, before) {
  if (!before.size || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const dot of part.querySelectorAll("[data-move]")) {
    const [x, y] = before.get(dot.dataset.move) || [dot.cx.baseVal.value, dot.cy.baseVal.value - 60];
    const [aside, down] = [x - dot.cx.baseVal.value, y - dot.cy.baseVal.value];
    if (aside || down) {
      dot.animate([{ transform: `translate(${aside}px, ${down}px)` }, { transform: "none" }], { duration: 900, easing: "ease-in-out" });
    }
  }
}

// A stream that begins sends every part. One that is as it was before stays: somebody may be typing in it.
const sent = new Map(); // name of a part to its markup, as the browser writes it

function rememberParts() {
  for (const part of document.querySelectorAll("[data-part]")) sent.set(part.dataset.part, part.innerHTML);
}

// What a part is to hold from now on; null where it holds that already.
function renewed(name, html) {
  const made = document.createElement("template");
  made.innerHTML = html;
  if (sent.get(name) === made.innerHTML) return null;
  sent.set(name, made.innerHTML);
  return made.content;
}

function replaceParts(parts) {
  const focused = document.activeElement && document.activeElement.id;
  for (const [name, html] of Object.entries(parts)) {
    const part = document.querySelector(`[data-part="${CSS.escape(name)}"]`);
    const content = part && renewed(name, html);
    if (!content) continue;
    const before = places(part);
    const open = [...part.querySelectorAll("details[open][id]")].map((details) => details.id);
    part.replaceChildren(content);
    for (const id of open) byId(id)?.setAttribute("open", "");
    localTimes(part);
    moveFrom(part, before);
  }
  if (focused && document.activeElement === body) byId(focused)?.focus();
  freshen();
  announce();
}

// What a question says must be true while it is read.
function freshen() {
  const dialog = byId("ask");
  if (!dialog || !dialog.open) return;
  const template = byId(dialog.dataset.template);
  for (const old of dialog.querySelectorAll("[data-fresh]")) {
    const now = template?.content.querySelector(`[data-fresh="${old.dataset.fresh}"]`);
    if (now && now.outerHTML !== old.outerHTML) old.replaceWith(now.cloneNode(true));
  }
}

let said = "";

function announce() {
  const words = body.classList.contains("stale")
    ? "Not live. What you see may be out of date."
    : document.querySelector("[data-announce]")?.dataset.announce || "";
  if (words === said) return;
  said = words;
  byId("announce").textContent = words;
}

// ---- the stream

let stream = null;
let heard = Date.now();
let silence = 0;

function live() {
  heard = Date.now();
  body.classList.remove("stale");
  byId("offline").hidden = true;
  byId("live-words").textContent = "Live";
  clearTimeout(silence);
  silence = setTimeout(notLive, SILENCE);
  announce();
}

function notLive() {
  const since = new Date(heard).toLocaleTimeString();
  body.classList.add("stale");
  byId("offline").hidden = false;
  byId("offline-words").textContent = `Reconnecting. What you see is from ${since}.`;
  byId("live-words").textContent = "Not live";
  announce();
}

// Until the first word comes, nobody knows how old the page is: it has no colours yet, as it is sent.
function connect() {
  clearTimeout(silence);
  silence = setTimeout(notLive, SILENCE);
  stream = new EventSource(`/events?view=${encodeURIComponent(body.dataset.view)}`);
  stream.addEventListener("hello", (event) => {
    if (JSON.parse(event.data).build !== body.dataset.build) location.reload();
  });
  stream.addEventListener("view", (event) => {
    live();
    replaceParts(JSON.parse(event.data));
  });
  stream.addEventListener("beat", live);
  stream.addEventListener("error", () => {
    notLive();
    if (stream.readyState === EventSource.CLOSED) setTimeout(refused, AGAIN);
  });
}

// The browser tries again by itself unless the server has answered and said no: then it may be time to log in.
async function refused() {
  try {
    const answer = await fetch(location.href, { redirect: "follow" });
    if (answer.redirected && new URL(answer.url).pathname === "/login") return location.assign(answer.url);
    if (answer.status === 404) return location.reload();
  } catch {
    // still away
  }
  connect();
}

// A connection that died without a word, as after a tablet has slept, is given up and made anew.
function watchSilence() {
  if (stream && Date.now() - heard > SILENCE + AGAIN && stream.readyState === EventSource.OPEN) {
    stream.close();
    notLive();
    connect();
  }
}

// ---- actions

function ask(button) {
  const dialog = byId("ask");
  const template = byId(`ask-${button.dataset.ask}`);
  dialog.dataset.template = template.id;
  dialog.replaceChildren(template.content.cloneNode(true));
  for (const slot of dialog.querySelectorAll("[data-slot]")) {
    const words = button.dataset[slot.dataset.slot] || "";
    if (slot.matches("input")) slot.value = words;
    else slot.textContent = words;
  }
  dialog.querySelector("form").addEventListener("submit", submit);
  dialog.querySelector("[data-cancel]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => byId(button.id)?.focus(), { once: true });
  dialog.showModal();
  (dialog.querySelector("input:checked") || [...dialog.querySelectorAll("input")].find(shown) || dialog.querySelector("[type=submit]")).focus();
}

const shown = (field) => field.getClientRects().length > 0;

function argumentsOf(form) {
  const found = { ...form.querySelector("input:checked")?.dataset };
  for (const field of form.querySelectorAll("input[type=text], input[type=hidden], select")) {
    if (field.type === "hidden" || shown(field)) found[field.name] = field.value;
  }
  return found;
}

async function submit(event) {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("[type=submit]");
  const error = form.querySelector("#ask-error");
  button.disabled = true;
  error.textContent = "";
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "content-type": "application/json", "x-csrf-token": body.dataset.csrf },
      body: JSON.stringify(argumentsOf(form)),
    });
    if (answer.ok) {
      byId("ask").close();
      if (!body.dataset.view) location.reload();
      return;
    }
    error.textContent = (await answer.json()).error;
  } catch {
    error.textContent = "The gateway did not answer. Nothing may have been done: look at the state, then try again.";
  }
  button.disabled = false;
}

// A barcode or QR reader types a code and Enter into the field: it is sent, and the field is ready for the next.
async function scan(event) {
  event.preventDefault();
  const form = event.target;
  const field = form.querySelector("input");
  const said = byId("scanned");
  const code = field.value.trim();
  field.value = "";
  field.focus();
  if (!code) return;
  said.className = "";
  said.textContent = `${code.slice(-12)} …`;
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "content-type": "application/json", "x-csrf-token": body.dataset.csrf },
      body: JSON.stringify({ code }),
    });
    const content = await answer.json();
    said.className = answer.ok ? "good" : "bad";
    said.textContent = answer.ok ? `${code.slice(-12)} is counted.` : content.error;
  } catch {
    said.className = "bad";
    said.textContent = "The gateway did not answer. Scan it again.";
  }
}

// ---- start

startTheme();
rememberParts();
localTimes(document);
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-ask]");
  if (button) ask(button);
});
if (body.dataset.view) {
  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[data-scan]")) scan(event);
  });
  setInterval(watchSilence, 1000);
  connect();
}
