// The legend that all panes share: a button for every class that some source has.

const SEARCH_FROM = 13; // classes

/** Fill the legend: the largest classes first, with their share in each source. */
function fillLegend(viewer) {
  const { classes, sources, legend } = viewer;
  const total = viewer.data.picture.width * viewer.data.picture.height;
  const rows = classes.map((one, place) => {
    const shares = sources.slice(1).filter((source) => source.counts).map((source) => {
      const id = source.names.indexOf(place);
      return { title: source.title, share: id < 0 ? null : source.counts[id] / total };
    });
    return { one, place, shares, most: Math.max(0, ...shares.map(({ share }) => share ?? 0)) };
  }).filter(({ most }) => most > 0).sort((a, b) => b.most - a.most);
  const wanted = (viewer.search ?? "").toLowerCase();
  const buttons = rows.filter(({ one }) => one.name.toLowerCase().includes(wanted)).map((row) => makeClass(viewer, row));
  const tools = [];
  if (rows.length >= SEARCH_FROM) {
    tools.push(element("input", {
      type: "search", placeholder: "Find a class", ariaLabel: "Find a class", value: viewer.search ?? "",
      oninput: (event) => onSearch(viewer, event.target.value),
    }));
  }
  tools.push(element("button", { type: "button", className: "all", onclick: () => viewer.hide(new Set()) }, "Show all classes"));
  const titles = sources.filter((source) => source.counts).map((source) => source.title).join(" · ");
  const caption = element("p", { className: "caption", hidden: !titles }, `Classes, and their share of the picture: ${titles}`);
  legend.replaceChildren(caption, ...tools, ...buttons);
  markLegend(viewer);
}

/** Which classes are drawn; the buttons stay, and with them the focus and a double click. */
function markLegend(viewer) {
  const hidden = new Set(viewer.classes.filter((one) => viewer.isHidden(one)).map((one) => one.name));
  for (const button of viewer.legend.querySelectorAll(".class")) {
    button.ariaPressed = String(!hidden.has(button.childNodes[1].textContent));
  }
  viewer.legend.querySelector(".all").hidden = hidden.size === 0;
}

function makeClass(viewer, { one, place, shares }) {
  const color = viewer.look.safe ? one.safe : one.color;
  const swatch = element("span", { className: "swatch" });
  swatch.style.backgroundColor = `rgb(${color.join(" ")})`;
  const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}`);
  const numbers = shares.map(({ share }) => percent(share)).join(" · ");
  const said = shares.map(({ title, share }) => `${title}: ${share === null ? "not known" : `${percent(share)} %`}`);
  return element("button", {
    type: "button", className: "class",
    title: `${said.join("\n")}\nClick: hide or show. Alt-click: only this one. Double click: all.`,
    onclick: (event) => (event.altKey ? viewer.isolate(one.name) : viewer.toggle(one.name)),
    ondblclick: () => viewer.hide(new Set()),
    onpointerenter: () => viewer.light(place), onpointerleave: () => viewer.light(null),
    onfocus: () => viewer.light(place), onblur: () => viewer.light(null),
  }, swatch, one.name, element("small", {}, ` ${numbers} %`));
}

function onSearch(viewer, text) {
  viewer.search = text;
  fillLegend(viewer);
  const input = viewer.legend.querySelector("input");
  input.focus();
  input.setSelectionRange(text.length, text.length);
}
