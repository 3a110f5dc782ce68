// While a storage check is under way, asks how far it is every two seconds, and shows all of the page when it is done.
(() => {
  const page = () => document.getElementById("doctor");
  if (!page() || !("underWay" in page().dataset)) return;
  const look = async () => {
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
      const fresh = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("doctor");
      if (fresh && !("underWay" in fresh.dataset)) return page().replaceWith(fresh);
      if (fresh) document.getElementById("doctor-progress").replaceChildren(...fresh.querySelector("#doctor-progress").childNodes);
    } catch { /* the network is away for a moment: the next look may succeed */ }
    setTimeout(look, 2000);
  };
  setTimeout(look, 1000);
})();
