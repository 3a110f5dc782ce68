// Polls the progress of a running storage check every two seconds, and replaces the whole page when it is done.
(() => {
  const page = () => document.getElementById("storage-check");
  if (!page() || !("underWay" in page().dataset)) return;
  const poll = async () => {
    try {
      const response = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
      const fresh = response.ok && new DOMParser().parseFromString(await response.text(), "text/html").getElementById("storage-check");
      if (fresh && !("underWay" in fresh.dataset)) return page().replaceWith(fresh);
      if (fresh) document.getElementById("status-progress").replaceChildren(...fresh.querySelector("#status-progress").childNodes);
    } catch { /* the network may be down for a moment: poll again */ }
    setTimeout(poll, 2000);
  };
  setTimeout(poll, 1000);
})();
