// Puts the page together: totals in the bar, the two views, and what keeps them fresh.

import * as assets from "./assets.js";
import * as calls from "./calls.js";
import { ask, byId, bytes, copy, toast } from "./dom.js";

let cloudinaryUrl = "";

async function totals() {
  const overview = await ask("overview");
  cloudinaryUrl = overview.cloudinary_url;
  byId("cloud").textContent = overview.cloud_name;
  const derived = overview.derived ? ` · ${overview.derived} derived` : "";
  byId("totals").textContent = `${overview.assets} assets · ${bytes(overview.bytes)}${derived}`;
}

function show(view) {
  document.body.dataset.view = view;
  for (const button of document.querySelectorAll("[data-show]")) {
    button.setAttribute("aria-pressed", String(button.dataset.show === view));
  }
  if (view === "calls") calls.seen();
}

function changed() {
  totals().catch((error) => toast(error.message));
  assets.refresh().catch((error) => toast(error.message));
}

for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => show(button.dataset.show));
}
byId("copy-url").addEventListener("click", () => copy(cloudinaryUrl, "CLOUDINARY_URL"));
totals().catch((error) => toast(error.message));
assets.start();
calls.start(changed);
