// Folders, thumbnails, and the sheet with one asset's details.

import { ask, byId, bytes, copy, make, toast } from "./dom.js";

const FOLDER_ICON = "M3 6.5A1.5 1.5 0 0 1 4.5 5h4l2 2.2h9A1.5 1.5 0 0 1 21 8.7v9.8a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 18.5Z";
const LOCK_ICON = "M7 10V8a5 5 0 0 1 10 0v2h1a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-8a1 1 0 0 1 1-1Zm2 0h6V8a3 3 0 0 0-6 0Z";

let folder = "";
let search = "";
let cursor = "";
let turn = 0;

function icon(path, size, name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("width", size);
  svg.setAttribute("height", size);
  svg.setAttribute("class", name);
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", path);
  shape.setAttribute("fill", "currentColor");
  svg.append(shape);
  return svg;
}

function picture(asset) {
  const kind = asset.format || asset.name.split(".").pop() || asset.resource_type;
  const label = () => make("span", { class: "kind" }, kind.slice(0, 8));
  if (!asset.has_preview) return make("div", { class: "picture" }, label());
  const image = make("img", {
    src: `/_cloudlet/console/assets/${asset.asset_id}/thumbnail?v=${asset.version}`,
    alt: "",
    loading: "lazy",
    onerror: () => image.replaceWith(label()),
  });
  return make("div", { class: "picture" }, image);
}

function card(asset) {
  const size = asset.width ? `${asset.width} × ${asset.height}` : asset.format || asset.resource_type;
  const guarded = asset.type === "upload" ? null : icon(LOCK_ICON, 13, "lock");
  return make(
    "button",
    { class: "card", type: "button", title: asset.public_id, onclick: () => open(asset.asset_id) },
    picture(asset),
    make(
      "span",
      { class: "caption" },
      make("b", {}, search ? asset.public_id : asset.name),
      make("small", {}, guarded, `${size} · ${bytes(asset.bytes)}`),
    ),
  );
}

function crumbs() {
  const parts = folder ? folder.split("/") : [];
  const items = [make("button", { type: "button", onclick: () => enter("") }, "All files")];
  parts.forEach((part, index) => {
    const path = parts.slice(0, index + 1).join("/");
    items.push(make("span", {}, "/"), make("button", { type: "button", onclick: () => enter(path) }, part));
  });
  items.at(-1).setAttribute("aria-current", "true");
  byId("crumbs").replaceChildren(...items);
}

function folderButton(path) {
  return make(
    "button",
    { class: "folder", type: "button", title: path, onclick: () => enter(path) },
    icon(FOLDER_ICON, 20, ""),
    make("span", {}, path.split("/").pop()),
  );
}

export function enter(path) {
  location.hash = `#/${path.split("/").map(encodeURIComponent).join("/")}`;
}

function query(from) {
  return `assets?${new URLSearchParams({ folder, search, cursor: from })}`;
}

export async function refresh() {
  const mine = ++turn;
  const page = await ask(query(""));
  if (mine !== turn) return;
  cursor = page.next_cursor;
  crumbs();
  byId("folders").replaceChildren(...page.folders.map(folderButton));
  byId("grid").replaceChildren(...page.assets.map(card));
  byId("more").hidden = !cursor;
  const empty = byId("empty");
  empty.hidden = page.folders.length + page.assets.length > 0;
  empty.textContent = search
    ? `No public id contains “${search}”.`
    : folder ? "This folder is empty." : "Nothing is stored yet. Copy the CLOUDINARY_URL above, and upload with any Cloudinary SDK.";
}

async function more() {
  const page = await ask(query(cursor));
  cursor = page.next_cursor;
  byId("grid").append(...page.assets.map(card));
  byId("more").hidden = !cursor;
}

function facts(asset) {
  const entries = [
    ["Public id", asset.public_id],
    ["Type", `${asset.resource_type} / ${asset.type}`],
    ["Format", asset.format],
    ["Size", asset.width ? `${asset.width} × ${asset.height}, ${bytes(asset.bytes)}` : bytes(asset.bytes)],
    ["Pages", asset.pages > 1 ? String(asset.pages) : ""],
    ["Version", String(asset.version)],
    ["Created", new Date(asset.created_at).toLocaleString()],
    ["Original name", asset.original_filename],
    ["Access", asset.access_mode === "public" ? "" : asset.access_mode],
    ["Tags", asset.tags.join(", ")],
    ...Object.entries(asset.context).map(([key, value]) => [`Context ${key}`, String(value)]),
    ...Object.entries(asset.metadata).map(([key, value]) => [`Metadata ${key}`, JSON.stringify(value)]),
    ["ETag", asset.etag],
  ];
  const list = make("dl", {});
  for (const [name, value] of entries) {
    if (value) list.append(make("dt", {}, name), make("dd", {}, value));
  }
  return list;
}

function trial(asset) {
  const input = make("input", {
    placeholder: "c_fill,w_200,h_200", "aria-label": "Transformation", autocomplete: "off", spellcheck: false,
  });
  const result = make("div", { class: "result" });
  async function run(event) {
    event.preventDefault();
    result.replaceChildren();
    try {
      const wanted = new URLSearchParams({ transformation: input.value });
      const { url } = await ask(`assets/${asset.asset_id}/attempt?${wanted}`);
      const response = await fetch(url, { cache: "no-store" });
      const link = make("a", { href: url, target: "_blank", rel: "noopener" }, url);
      const links = make("div", { class: "url" }, link);
      if (!response.ok) {
        const why = response.headers.get("X-Cld-Error") ?? "no reason given";
        result.replaceChildren(make("p", { class: "why" }, `${response.status}: ${why}`), links);
        return;
      }
      const blob = await response.blob();
      const shown = blob.type.startsWith("image/")
        ? make("div", { class: "picture" }, make("img", { src: URL.createObjectURL(blob), alt: "Result" }))
        : null;
      result.append(...[shown, make("small", {}, `${blob.type}, ${bytes(blob.size)}`), links].filter(Boolean));
    } catch (error) {
      result.replaceChildren(make("p", { class: "why" }, error.message));
    }
  }
  const form = make("form", { class: "try", onsubmit: run }, input, make("button", { class: "primary" }, "Try"));
  return make("div", {}, make("h3", {}, "Try a transformation"), form, result);
}

function derivedList(asset) {
  if (!asset.derived.length) return null;
  const items = asset.derived.map((file) =>
    make("li", {}, make("span", {}, `${file.transformation || "—"} .${file.format}`), make("span", {}, bytes(file.bytes))));
  return make("div", {}, make("h3", {}, "Derived files"), make("ul", { class: "derived" }, ...items));
}

function deleteButton(asset) {
  return make("button", {
    class: "danger",
    type: "button",
    onclick: async ({ target }) => {
      if (!target.classList.contains("sure")) {
        target.classList.add("sure");
        target.textContent = "Delete for good?";
        setTimeout(() => { target.classList.remove("sure"); target.textContent = "Delete"; }, 4000);
        return;
      }
      await ask(`assets/${asset.asset_id}`, { method: "DELETE" }).catch((error) => toast(error.message));
      byId("details").close();
      toast(`${asset.public_id} deleted`);
      await refresh();
    },
  }, "Delete");
}

async function open(id) {
  let asset;
  try {
    asset = await ask(`assets/${id}`);
  } catch (error) {
    toast(error.message);
    return;
  }
  const sheet = byId("details");
  const absolute = new URL(asset.url, location.href).href;
  sheet.replaceChildren(
    make("header", {}, make("h2", {}, asset.public_id),
      make("button", { class: "close", type: "button", "aria-label": "Close", onclick: () => sheet.close() }, "✕")),
    make("div", { class: "body" },
      picture(asset),
      make("div", {}, make("h3", {}, "Delivery URL"), make("div", { class: "url" },
        make("a", { href: asset.url, target: "_blank", rel: "noopener" }, absolute),
        make("button", { class: "quiet", type: "button", onclick: () => copy(absolute, "URL") }, "Copy"))),
      asset.resource_type === "image" ? trial(asset) : null,
      make("div", {}, make("h3", {}, "Details"), facts(asset)),
      derivedList(asset),
      deleteButton(asset)),
  );
  sheet.showModal();
  sheet.scrollTop = 0;
}

function follow() {
  folder = decodeURIComponent(location.hash.replace(/^#\/?/, ""));
  search = "";
  byId("search").value = "";
  refresh().catch((error) => toast(error.message));
}

export function start() {
  let delay;
  byId("search").addEventListener("input", (event) => {
    clearTimeout(delay);
    delay = setTimeout(() => {
      search = event.target.value.trim();
      refresh().catch((error) => toast(error.message));
    }, 180);
  });
  byId("more").addEventListener("click", () => more().catch((error) => toast(error.message)));
  byId("details").addEventListener("click", (event) => { if (event.target === event.currentTarget) event.target.close(); });
  addEventListener("hashchange", follow);
  follow();
}
