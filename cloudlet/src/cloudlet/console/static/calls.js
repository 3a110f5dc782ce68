// The log of calls, newest first. The page asks for what is new once a second while it is visible.

import { ask, byId, make } from "./dom.js";

const KEPT = 300;
const INTERVAL = 1000;

let last = 0;
let paused = false;
let filter = "all";
let unseen = 0;
let listener = () => {};

const isRefused = (call) => call.status >= 400 || call.status === 0;
const isApi = (call) => call.path.startsWith("/v1_1/") || call.path.startsWith("/v2/");
const shown = (call) => filter === "all" || (filter === "api" ? isApi(call) : isRefused(call));

function tone(call) {
  if (call.status >= 500 || call.status === 0) return "bad";
  if (call.status === 404) return "warn";
  return call.status >= 400 ? "bad" : "";
}

function line(call) {
  const item = make(
    "li",
    { hidden: !shown(call), onclick: () => item.classList.toggle("open") },
    make(
      "div",
      { class: "call" },
      make("span", { class: `status ${tone(call)}` }, String(call.status || "cut")),
      make("span", { class: "method" }, call.method),
      make("span", { class: "path", title: call.path }, call.path),
      make("span", { class: "time", title: `request ${call.request_id}` }, `${call.milliseconds.toFixed(1)} ms`),
    ),
    call.error ? make("p", { class: `why ${tone(call)}` }, call.error) : null,
  );
  item.call = call;
  return item;
}

function add(calls) {
  const log = byId("log");
  for (const call of calls) {
    log.prepend(line(call));
    last = Math.max(last, call.number);
  }
  while (log.children.length > KEPT) log.lastElementChild.remove();
  refreshEmpty();
}

function refreshEmpty() {
  byId("quiet").hidden = [...byId("log").children].some((item) => !item.hidden);
}

function count(calls) {
  if (document.body.dataset.view === "calls") unseen = 0;
  else unseen += calls.filter(isRefused).length;
  byId("badge").textContent = unseen > 99 ? "99+" : String(unseen);
  byId("badge").hidden = unseen === 0;
}

async function poll() {
  if (document.hidden || paused) return;
  const first = last === 0;
  const { calls } = await ask(`calls?since=${last}`);
  if (!calls.length) return;
  add(calls);
  if (!first) count(calls);
  if (!first && calls.some((call) => isApi(call) && call.method !== "GET")) listener();
}

export function seen() {
  unseen = 0;
  byId("badge").hidden = true;
}

// `changed` is called when a call may have changed what is stored.
export function start(changed) {
  listener = changed;
  for (const button of document.querySelectorAll("[data-filter]")) {
    button.addEventListener("click", () => {
      filter = button.dataset.filter;
      for (const other of document.querySelectorAll("[data-filter]")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      for (const item of byId("log").children) item.hidden = !shown(item.call);
      refreshEmpty();
    });
  }
  byId("pause").addEventListener("click", (event) => {
    paused = !paused;
    event.target.textContent = paused ? "Resume" : "Pause";
    event.target.setAttribute("aria-pressed", String(paused));
  });
  const again = () => poll().catch(() => {}).finally(() => setTimeout(again, INTERVAL));
  again();
}
