// Pan and zoom for graphs, and arrow keys from box to box. The picture is scrolled, never moved: so touch,
// wheel and scroll bars work as everywhere.

const places = new Map(); // by the graph's id: where it stands, for when the picture is fetched anew
const LEAST = 0.25, MOST = 2, LEGIBLE = 0.6;

export function equipGraphs(part = document) {
  for (const graph of part.querySelectorAll("[data-graph]")) equip(graph);
}

function equip(graph) {
  const view = graph.querySelector(".graph-view"), svg = view?.querySelector("svg");
  if (!svg || graph.dataset.ready) return;
  graph.dataset.ready = "yes";
  for (const each of graph.querySelectorAll("[data-script]")) each.hidden = false;
  const box = svg.viewBox.baseVal;
  const shape = `${box.width}x${box.height}`;
  const fit = () => Math.min(1, (view.clientWidth - 4) / box.width, maxHeight(view) / box.height);
  let scale = 1;
  const resize = (to) => {
    scale = Math.min(MOST, Math.max(Math.min(LEAST, fit()), to));
    svg.setAttribute("width", box.width * scale);
    svg.setAttribute("height", box.height * scale);
  };
  const remember = () => places.set(graph.id, { shape, scale, left: view.scrollLeft, top: view.scrollTop });
  const known = places.get(graph.id);
  if (known && known.shape === shape) {
    resize(known.scale);
    view.scrollTo(known.left, known.top);
  } else {
    resize(Math.max(fit(), LEGIBLE));
    centre(view, svg, svg.querySelector(".step.chosen, .step.failed, .step.running"));
  }
  view.addEventListener("scroll", remember, { passive: true });
  const zoom = (to, x = view.clientWidth / 2, y = view.clientHeight / 2) => {
    const before = scale, left = view.scrollLeft + x, top = view.scrollTop + y;
    resize(to);
    view.scrollTo((left * scale) / before - x, (top * scale) / before - y);
    remember();
  };
  graph.querySelector('[data-zoom="in"]')?.addEventListener("click", () => zoom(scale * 1.3));
  graph.querySelector('[data-zoom="out"]')?.addEventListener("click", () => zoom(scale / 1.3));
  graph.querySelector('[data-zoom="fit"]')?.addEventListener("click", () => zoom(fit()));
  view.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const edge = view.getBoundingClientRect();
    zoom(scale * Math.exp(-event.deltaY / 300), event.clientX - edge.left, event.clientY - edge.top);
  }, { passive: false });
  drag(view);
  view.addEventListener("keydown", (event) => walk(event, svg));
}

function maxHeight(view) {
  return Math.max(160, parseFloat(getComputedStyle(view).maxHeight) || 430) - 4;
}

function centre(view, svg, step) {
  const rect = step?.querySelector("rect");
  if (!rect) return;
  const at = rect.getBoundingClientRect(), edge = view.getBoundingClientRect();
  view.scrollTo(view.scrollLeft + at.left - edge.left - (view.clientWidth - at.width) / 2,
    view.scrollTop + at.top - edge.top - (view.clientHeight - at.height) / 2);
}

function drag(view) {
  let from = null;
  view.addEventListener("pointerdown", (event) => {
    if (event.button === 0 && event.pointerType === "mouse") from = { x: event.clientX, y: event.clientY, left: view.scrollLeft, top: view.scrollTop };
  });
  view.addEventListener("dragstart", (event) => event.preventDefault());
  view.addEventListener("pointermove", (event) => {
    if (!from) return;
    if (!(event.buttons & 1)) { from = null; view.classList.remove("drags"); return; }
    const dx = event.clientX - from.x, dy = event.clientY - from.y;
    if (Math.hypot(dx, dy) > 5) view.classList.add("drags");
    if (view.classList.contains("drags")) view.scrollTo(from.left - dx, from.top - dy);
  });
  const end = () => { from = null; setTimeout(() => view.classList.remove("drags")); };
  view.addEventListener("pointerup", end);
  view.addEventListener("pointerleave", end);
  // A drag that ends on a box is no click on it.
  view.addEventListener("click", (event) => {
    if (view.classList.contains("drags")) { event.preventDefault(); event.stopPropagation(); }
  }, true);
}

const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// The nearest box in that direction takes the focus; Enter opens it, as it is a link.
function walk(event, svg) {
  const way = DIRECTIONS[event.key];
  if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
  const links = [...svg.querySelectorAll(".step a, .step[tabindex]")];
  const now = links.find((each) => each === document.activeElement);
  const middle = (each) => { const at = each.getBoundingClientRect(); return [at.left + at.width / 2, at.top + at.height / 2]; };
  let best = null;
  if (!now) best = svg.querySelector(".step.chosen a, .step.chosen[tabindex]") || links[0];
  else {
    const [x, y] = middle(now);
    let least = Infinity;
    for (const each of links) {
      const [dx, dy] = [middle(each)[0] - x, middle(each)[1] - y];
      const along = dx * way[0] + dy * way[1], across = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
      if (along > 4 && along + 2 * across < least) { least = along + 2 * across; best = each; }
    }
  }
  if (!best) return;
  event.preventDefault();
  best.focus({ preventScroll: true });
  best.scrollIntoView({ block: "nearest", inline: "nearest" });
}

document.addEventListener("dagfs:replaced", (event) => equipGraphs(event.target));
equipGraphs();
