// The row of controls above the panes, the key of the view, and the list of keys.

const KEYS = [
  ["Wheel, pinch, + and −", "zoom at the pointer"],
  ["Drag, arrow keys", "move"],
  ["Double click, 0", "the whole picture"],
  ["G, S, O", "grid, swipe, single"],
  ["V", "next view: classes, instances, confidence, disagreement, errors, who is right"],
  ["A", "next model to hold the others against"],
  ["[ and ]", "move the divider of the swipe"],
  ["1 to 8", "choose what the single pane shows"],
  ["Hold the space bar", "single pane: flicker to the second choice"],
  ["L", "outlines"],
  ["?", "this list"],
];

function makeToolbar(viewer) {
  const { look, layout } = viewer;
  const choice = (label, options, value, onchoose) =>
    element("label", {}, `${label} `, element(
      "select", { ariaLabel: label, onchange: (event) => onchoose(event.target.value) },
      ...options.map(([key, title]) => element("option", { value: key, selected: String(key) === String(value) }, title)),
    ));
  const range = (label, name) =>
    element("label", {}, `${label} `, element("input", {
      type: "range", min: 0, max: 100, value: Math.round(100 * look[name]),
      oninput: (event) => viewer.set({ [name]: event.target.value / 100 }),
    }));
  const tick = (label, name) =>
    element("label", {}, element("input", {
      type: "checkbox", checked: look[name], onchange: (event) => viewer.set({ [name]: event.target.checked }),
    }), ` ${label}`);
  const button = (label, onclick, more = {}) => element("button", { type: "button", onclick, ...more }, label);
  const sources = viewer.sources.map((source, place) => [place, source.title]);

  const parts = [
    choice("Layout", Object.entries(LAYOUTS), layout, (chosen) => viewer.setLayout(chosen)),
    choice("View", viewer.views().map((key) => [key, VIEWS[key].title]), look.view, (view) => viewer.set({ view }, true)),
  ];
  if (VIEWS[look.view].isAgainst && viewer.models.length > 2) {
    const models = viewer.models.map((model) => [model.key, model.title]);
    parts.push(choice("Against", [["any", "any other"], ...models], look.against, (against) => viewer.set({ against }, true)));
  }
  if (layout !== "grid") {
    const isSwipe = layout === "swipe";
    parts.push(choice(isSwipe ? "Left" : "Show", sources, viewer.first, (place) => viewer.set({ first: +place }, true)));
    parts.push(choice(isSwipe ? "Right" : "Space bar", sources, viewer.second, (place) => viewer.set({ second: +place }, true)));
  }
  if (look.view === "classes") {
    parts.push(range("Opacity", "opacity"));
    if (viewer.awaited || viewer.models.some((model) => model.confidenceUrl)) parts.push(range("Least confidence", "threshold"));
    parts.push(tick("Outlines", "outlines"));
  }
  parts.push(tick("Colour-blind safe", "safe"));
  parts.push(element(
    "span", { className: "actions" }, button("Whole picture", () => viewer.fit()),
    button("Save view", () => saveView(viewer), { title: "These panes as a PNG file" }),
    button("?", () => viewer.help.showModal(), { ariaLabel: "List of keys", title: "List of keys" }),
  ));
  return element("div", { className: "toolbar", role: "toolbar", ariaLabel: "Viewer" }, ...parts);
}

/** What the colours of the view mean, in words. */
function makeKey(viewer) {
  const rows = VIEWS[viewer.look.view].key(viewer).map(([mark, words]) => {
    if (mark === null) return element("span", {}, words);
    const swatch = element("span", { className: mark.isLined ? "swatch lined" : "swatch" });
    swatch.style.backgroundColor = `rgb(${mark.color.join(" ")} / ${mark.opacity ?? 1})`;
    return element("span", {}, swatch, words);
  });
  return element("p", { className: "key", hidden: rows.length === 0 }, ...rows);
}

function makeHelp() {
  const rows = KEYS.map(([keys, what]) => element("tr", {}, element("th", { scope: "row" }, keys), element("td", {}, what)));
  const help = element("dialog", { ariaLabel: "Keys" }, element("table", {}, ...rows));
  help.append(element("button", { type: "button", onclick: () => help.close() }, "Close"));
  return help;
}

/** The panes as they are on the screen, with their titles, as a PNG file. */
async function saveView(viewer) {
  const caption = 28, gap = 12;
  const { panes } = viewer;
  const { width, height } = panes[0].classes;
  const columns = Math.min(panes.length, panes.length === 4 ? 2 : 3);
  const rows = Math.ceil(panes.length / columns);
  const page = new OffscreenCanvas(columns * (width + gap) + gap, rows * (height + caption + gap) + gap);
  const context = page.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, page.width, page.height);
  context.font = "16px sans-serif";
  panes.forEach((pane, i) => {
    const left = gap + (i % columns) * (width + gap), top = gap + Math.floor(i / columns) * (height + caption + gap);
    context.fillStyle = "#111";
    context.fillText(pane.shown.map((source) => source.title).join(" | "), left, top + 18, width);
    context.drawImage(pane.picture, left, top + caption);
    context.drawImage(pane.classes, left, top + caption);
  });
  const url = URL.createObjectURL(await page.convertToBlob({ type: "image/png" }));
  element("a", { href: url, download: "segdemo view.png" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
