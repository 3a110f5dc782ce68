// Submits the form to its preview, in a new tab. A submit button would need no script, but as the first one of the
// form it would also be what the Enter key activates.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-preview]");
  if (!button) return;
  const { form } = button;
  const before = [form.getAttribute("action"), form.getAttribute("target")];
  form.setAttribute("action", button.dataset.preview);
  form.setAttribute("target", "admit-preview");
  form.submit();
  for (const [n, name] of ["action", "target"].entries()) {
    if (before[n] === null) form.removeAttribute(name);
    else form.setAttribute(name, before[n]);
  }
});
