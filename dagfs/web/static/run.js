// The run's page: links with `data-go` change what it shows in place; the table of steps can be filtered.
import "./graph.js";
import "./log.js";

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-go], .graph .step a, .bars a");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
  const target = new URL(link.getAttribute("href"), location.href);
  if (target.pathname !== location.pathname && link.dataset.go !== "#log") return;
  event.preventDefault();
  const here = new URL(location.href);
  if (link.dataset.go === "#log") here.searchParams.set("stream", target.searchParams.get("stream"));
  else {
    here.search = target.search;
    here.hash = "";
  }
  history.pushState(null, "", here);
  wanted = target.hash.slice(1);
  refresh();
});

let wanted = "";
addEventListener("popstate", refresh);
document.addEventListener("dagfs:fresh", () => {
  if (wanted && isBelow(wanted)) document.getElementById(wanted).scrollIntoView({ block: "start" });
  wanted = "";
});

// page.js fetches the page at the address that now stands in the bar.
function refresh() {
  document.dispatchEvent(new Event("dagfs:refresh"));
}

// On a narrow screen the step stands below the table: show that something has happened.
function isBelow(id) {
  const at = document.getElementById(id)?.getBoundingClientRect();
  return at && at.top > innerHeight - 120;
}

function filter() {
  const input = document.getElementById("step-filter");
  if (!input) return;
  input.hidden = false;
  const words = input.value.trim().toLowerCase();
  for (const link of document.querySelectorAll("#steps [data-name]")) {
    link.closest("tr").hidden = !link.dataset.name.toLowerCase().includes(words);
  }
}

let typed = "";
document.addEventListener("input", (event) => {
  if (event.target.id === "step-filter") { typed = event.target.value; filter(); }
});
document.addEventListener("dagfs:replaced", (event) => {
  const input = event.target.querySelector?.("#step-filter");
  if (input) { input.value = typed; filter(); }
});
filter();
