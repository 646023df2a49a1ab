// A list that follows its filter as one types. Without this script the form is sent with its button.
const form = document.querySelector("form[data-filter]");
let timer = 0;

function follow() {
  const query = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...query]) if (!value) query.delete(name);
  const text = query.toString();
  history.replaceState(null, "", location.pathname + (text ? `?${text}` : ""));
  document.dispatchEvent(new CustomEvent("dagfs:refresh"));
}

form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(follow, 150);
});
for (const button of form.querySelectorAll("[data-no-script]")) button.hidden = true;
// "/" goes to the field, as on most pages of this kind.
document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    form.querySelector("input[type=search]").focus();
  }
});
