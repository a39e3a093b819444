// The viewer: panes that show one picture as several models see it, through one window that all share.

const LAYOUTS = { grid: "Grid", swipe: "Swipe", single: "Single" };
const STORED = "segdemo.viewer";
const STEP = 60; // screen pixels that an arrow key moves
const KEYS = [
  ["Wheel, pinch, + and −", "zoom at the pointer"],
  ["Drag, arrow keys", "move"],
  ["Double click, 0", "the whole picture"],
  ["G, S, O", "grid, swipe, single"],
  ["V", "next view: classes, instances, confidence, disagreement, errors"],
  ["[ and ]", "move the divider of the swipe"],
  ["1 to 7", "choose what the single pane shows"],
  ["Hold the space bar", "single pane: flicker to the second choice"],
  ["L", "outlines"],
  ["?", "this list"],
];

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.look = {
      layout: "grid", view: "classes", opacity: 0.55, threshold: 0, outlines: true, safe: false, hidden: null,
      divider: 0.5, first: 1, second: 2, ...this.remembered(),
    };
    this.lit = null;
    this.pointer = null;
    this.isFlickering = false;
    this.touches = new Map();
    this.resizing = new ResizeObserver(() => this.measure());
    this.ended = new AbortController(); // the root may outlive this viewer
    const { signal } = this.ended;
    root.addEventListener("keydown", (event) => this.onKey(event), { signal });
    root.addEventListener("keyup", (event) => event.key === " " && this.flicker(false), { signal });
    root.addEventListener("focusout", () => this.flicker(false), { signal });
  }

  /** Show what the server sent: the picture, its models and their classes. */
  async show(data) {
    const told = JSON.stringify(data);
    if (told === this.told) return; // Streamlit calls at every run of the page
    this.told = told;
    this.data = data;
    const isOther = this.shown !== data.picture.url;
    this.classes = data.classes;
    this.look.hidden ??= new Set(data.classes.filter((one) => one.background).map((one) => one.name));
    this.models = data.models.map((model) => ({ ...model }));
    this.truth = data.truth ? { ...data.truth, title: "Labels" } : null;
    this.sources = [{ title: "Picture" }, ...this.models, ...(this.truth ? [this.truth] : [])];
    const places = new Map(this.classes.map(({ name }, place) => [name, place]));
    for (const source of this.sources.slice(1)) {
      source.names = Int16Array.from({ length: 256 }, (_, id) => places.get(source.classes[id]) ?? -1);
      const known = new Set(source.names); // with -1, "no class", which all know
      source.knows = (name) => known.has(name);
    }
    if (isOther) {
      this.viewport = new Viewport(data.picture.width, data.picture.height);
      this.shown = data.picture.url;
      this.bitmap = null;
      const { at = null, picture = this.shown } = this.linked ?? {};
      this.place = picture === this.shown ? at : null;
      this.linked = null;
    }
    this.keepChoicesValid();
    this.build();
    await this.load();
  }

  async load() {
    const { picture } = this.data;
    const turn = (this.turn = {});
    const failed = (what) => (error) => {
      if (this.turn !== turn) return;
      this.told = null; // the next run of the page tries again
      this.say(`${what} could not be loaded (${error.message}); reload the page.`);
    };
    const arrived = () => this.turn === turn && this.redraw();
    const loading = [];
    if (!this.bitmap) loading.push(this.loadPicture(picture.url).then(arrived).catch(failed("The picture")));
    for (const source of this.sources.slice(1)) {
      const labels = decode(source.url).then(({ values }) => {
        source.ids = values;
        source.counts = countIds(values);
      });
      const confidence = source.confidenceUrl
        ? decode(source.confidenceUrl).then((grey) => (source.confidence = new Scaled(grey, picture)))
        : null;
      const objects = source.objectsUrl
        ? decode(source.objectsUrl, (rgba, at) => rgba[at] + 256 * rgba[at + 1], Uint16Array).then(({ values }) => {
            source.objects = values;
          })
        : null;
      loading.push(Promise.all([labels, confidence, objects]).then(arrived).catch(failed(source.title)));
    }
    await Promise.all(loading);
    if (this.turn !== turn) return;
    this.fillLegend();
    this.redraw();
    this.root.dataset.ready = picture.url;
  }

  async loadPicture(url) {
    const bitmap = await fetchBitmap(url);
    if (this.shown !== url) return; // another one has been asked for meanwhile
    this.colors = pixelsOf(bitmap);
    this.bitmap = bitmap;
  }

  // What stands on the page ------------------------------------------------------------------------------------------

  build() {
    this.resizing.disconnect();
    this.panes = this.paneSources().map((source) => this.makePane(source));
    this.legend = element("div", { className: "legend", role: "group", ariaLabel: "Classes" });
    this.readout = element("p", { className: "readout", role: "status" }, "Point at a pixel to read what each model says.");
    this.note = element("p", { className: "note", hidden: true });
    const grid = element("div", { className: `panes ${this.look.layout}` }, ...this.panes.map((pane) => pane.figure));
    this.root.replaceChildren(this.makeToolbar(), grid, this.readout, this.note, this.legend, this.makeHelp());
    this.root.tabIndex = 0;
    this.root.setAttribute("aria-label", "Viewer: press question mark for the list of keys");
    if (this.panes.length) this.resizing.observe(this.panes[0].stage);
    this.fillLegend();
    this.measure();
  }

  /** By pane what it shows; the swipe's one pane shows two. */
  paneSources() {
    const { layout, first, second } = this.look;
    if (layout === "grid") return this.sources.map((source) => [source]);
    if (layout === "swipe") return [[this.sources[first], this.sources[second]]];
    return [[this.sources[first]]];
  }

  makePane(shown) {
    const picture = element("canvas", { className: "picture" });
    const classes = element("canvas", { className: "classes", role: "img" });
    const mark = element("div", { className: "mark", hidden: true });
    const says = element("div", { className: "says" }, shown.map((source) => source.time ?? "").filter(Boolean).join(" | "));
    const stage = element("div", { className: "stage" }, picture, classes, mark);
    const { width, height } = this.data.picture;
    stage.style.aspectRatio = `${width} / ${height}`;
    const caption = element("figcaption", {}, element("b", {}, shown.map((source) => source.title).join(" | ")), says);
    const pane = { shown, picture, classes, mark, says, stage, figure: element("figure", {}, caption, stage) };
    if (shown.length === 2) {
      pane.divider = element("div", {
        className: "divider", role: "separator", tabIndex: 0, ariaLabel: "Divider", ariaValueMin: "0", ariaValueMax: "100",
        onpointerdown: (event) => this.dragDivider(event, pane),
        onkeydown: (event) => this.onDividerKey(event),
      });
      stage.append(pane.divider);
    }
    this.listen(stage);
    return pane;
  }

  makeToolbar() {
    const { look } = this;
    const choice = (label, options, value, onchoose) =>
      element("label", {}, `${label} `, element(
        "select", { ariaLabel: label, onchange: (event) => onchoose(event.target.value) },
        ...options.map(([key, title]) => element("option", { value: key, selected: String(key) === String(value) }, title)),
      ));
    const range = (label, name) =>
      element("label", {}, `${label} `, element("input", {
        type: "range", min: 0, max: 100, value: Math.round(100 * look[name]),
        oninput: (event) => this.set({ [name]: event.target.value / 100 }),
      }));
    const tick = (label, name) =>
      element("label", {}, element("input", {
        type: "checkbox", checked: look[name], onchange: (event) => this.set({ [name]: event.target.checked }),
      }), ` ${label}`);
    const sources = this.sources.map((source, place) => [place, source.title]);
    const rebuild = (change) => (value) => this.set(change(value), true);
    const parts = [
      choice("Layout", Object.entries(LAYOUTS), look.layout, rebuild((layout) => ({ layout }))),
      choice("View", this.views().map((key) => [key, VIEWS[key].title]), look.view, (view) => this.set({ view })),
    ];
    if (look.layout !== "grid") {
      parts.push(choice(look.layout === "swipe" ? "Left" : "Show", sources, look.first, rebuild((v) => ({ first: +v }))));
      parts.push(choice(look.layout === "swipe" ? "Right" : "Space bar", sources, look.second, rebuild((v) => ({ second: +v }))));
    }
    parts.push(range("Opacity", "opacity"));
    if (this.models.some((model) => model.confidenceUrl)) parts.push(range("Least confidence", "threshold"));
    parts.push(tick("Outlines", "outlines"), tick("Colour-blind safe", "safe"));
    parts.push(element("button", { type: "button", onclick: () => this.fit() }, "Whole picture"));
    parts.push(element("button", { type: "button", ariaLabel: "List of keys", onclick: () => this.help.showModal() }, "?"));
    return element("div", { className: "toolbar", role: "toolbar", ariaLabel: "Viewer" }, ...parts);
  }

  makeHelp() {
    const rows = KEYS.map(([keys, what]) => element("tr", {}, element("th", { scope: "row" }, keys), element("td", {}, what)));
    this.help = element(
      "dialog", { ariaLabel: "Keys" }, element("table", {}, ...rows),
      element("button", { type: "button", onclick: () => this.help.close() }, "Close"),
    );
    return this.help;
  }

  /** The classes that any source has, the largest first, with their share in each. */
  fillLegend() {
    const total = this.data.picture.width * this.data.picture.height;
    const rows = this.classes.map((one, place) => {
      const shares = this.sources.slice(1).filter((source) => source.counts).map((source) => {
        const id = source.names.indexOf(place);
        return { title: source.title, share: id < 0 ? null : source.counts[id] / total };
      });
      return { one, place, shares, most: Math.max(0, ...shares.map(({ share }) => share ?? 0)) };
    }).filter(({ most }) => most > 0).sort((a, b) => b.most - a.most);
    const wanted = (this.search ?? "").toLowerCase();
    const buttons = rows.filter(({ one }) => one.name.toLowerCase().includes(wanted)).map((row) => this.makeClass(row));
    const tools = [];
    if (rows.length > 12) {
      tools.push(element("input", {
        type: "search", placeholder: "Find a class", ariaLabel: "Find a class", value: this.search ?? "",
        oninput: (event) => this.onSearch(event),
      }));
    }
    if (this.look.hidden.size) {
      tools.push(element("button", { type: "button", onclick: () => this.hide(new Set()) }, "Show all classes"));
    }
    const titles = this.sources.slice(1).map((source) => source.title).join(" · ");
    const caption = element("p", { className: "caption" }, `Classes, and their share of the picture: ${titles}`);
    this.legend.replaceChildren(caption, ...tools, ...buttons);
  }

  makeClass({ one, place, shares }) {
    const color = this.look.safe ? one.safe : one.color;
    const swatch = element("span", { className: "swatch" });
    swatch.style.backgroundColor = `rgb(${color.join(" ")})`;
    const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}`);
    const numbers = shares.map(({ share }) => percent(share)).join(" · ");
    const said = shares.map(({ title, share }) => `${title}: ${share === null ? "not known" : `${percent(share)} %`}`);
    return element("button", {
      type: "button", className: "class", ariaPressed: String(!this.look.hidden.has(one.name)),
      title: `${said.join("\n")}\nClick: hide or show. Alt-click: only this one. Double click: all.`,
      onclick: (event) => (event.altKey ? this.isolate(one.name) : this.toggle(one.name)),
      ondblclick: () => this.hide(new Set()),
      onpointerenter: () => this.light(place), onpointerleave: () => this.light(null),
      onfocus: () => this.light(place), onblur: () => this.light(null),
    }, swatch, one.name, element("small", {}, ` ${numbers} %`));
  }

  onSearch(event) {
    this.search = event.target.value;
    this.fillLegend();
    const input = this.legend.querySelector("input");
    input.focus();
    input.setSelectionRange(input.value.length, input.value.length);
  }

  say(sentence) {
    this.note.textContent = sentence;
    this.note.hidden = false;
  }

  // What the person changes ------------------------------------------------------------------------------------------

  views() {
    return Object.keys(VIEWS).filter((key) => {
      if (key === "instances") return this.models.some((model) => model.objectsUrl);
      if (key === "confidence") return this.models.some((model) => model.confidenceUrl);
      if (key === "disagreement") return this.models.length > 1;
      return key !== "errors" || this.truth !== null;
    });
  }

  keepChoicesValid() {
    const last = this.sources.length - 1;
    const valid = (place, usual) => (Number.isInteger(place) && place >= 0 ? Math.min(place, last) : Math.min(usual, last));
    this.look.first = valid(this.look.first, 1);
    this.look.second = valid(this.look.second, 2);
    if (!this.views().includes(this.look.view)) this.look.view = "classes";
    if (!Object.hasOwn(LAYOUTS, this.look.layout)) this.look.layout = "grid";
  }

  set(change, rebuild = false) {
    Object.assign(this.look, change);
    if (rebuild) {
      const focused = this.root.getRootNode().activeElement?.ariaLabel;
      this.build();
      [...this.root.querySelectorAll("select, [role=separator]")].find((one) => one.ariaLabel === focused)?.focus();
    } else if ("safe" in change) this.fillLegend();
    this.remember();
    this.redraw();
  }

  hide(hidden) {
    this.look.hidden = hidden;
    this.remember();
    for (const button of this.legend.querySelectorAll(".class")) {
      button.ariaPressed = String(!hidden.has(button.childNodes[1].textContent));
    }
    this.redraw();
  }

  toggle(name) {
    const hidden = new Set(this.look.hidden);
    if (!hidden.delete(name)) hidden.add(name);
    this.hide(hidden);
  }

  isolate(name) {
    this.hide(new Set(this.classes.map((one) => one.name).filter((other) => other !== name)));
  }

  light(place) {
    this.lit = place;
    this.redraw();
  }

  flicker(isOn) {
    if (this.isFlickering === isOn || this.look.layout !== "single") return;
    this.isFlickering = isOn;
    this.redraw();
  }

  fit() {
    this.viewport.fit();
    this.moved();
  }

  moved() {
    this.remember();
    this.redraw();
  }

  // Pointer, touch and keys ------------------------------------------------------------------------------------------

  listen(stage) {
    const place = (event) => {
      const box = stage.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.viewport.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), place(event));
      this.moved();
    }, { passive: false });
    stage.addEventListener("dblclick", () => this.fit());
    stage.addEventListener("pointerdown", (event) => {
      this.touches.set(event.pointerId, place(event));
      stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", (event) => this.onMove(event.pointerId, place(event)));
    const leave = (event) => this.touches.delete(event.pointerId);
    stage.addEventListener("pointerup", leave);
    stage.addEventListener("pointercancel", leave);
    stage.addEventListener("pointerleave", () => this.point(null));
  }

  onMove(id, now) {
    const before = this.touches.get(id);
    if (before) {
      const [other] = [...this.touches].filter(([key]) => key !== id).map(([, at]) => at);
      if (other) {
        const distance = (a) => Math.hypot(a.x - other.x, a.y - other.y);
        this.viewport.zoom(distance(now) / Math.max(1, distance(before)), other);
      } else {
        this.viewport.pan(now.x - before.x, now.y - before.y);
      }
      this.touches.set(id, now);
      this.moved();
    }
    this.point(this.viewport.toPicture(now));
  }

  onKey(event) {
    if (this.help.open || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT)$/.test(event.target.tagName)) return;
    if (event.target.tagName === "BUTTON" && event.key === " ") return;
    const { viewport, look } = this;
    const read = () => (this.moved(), this.point(viewport)); // without a mouse, the pixel in the middle is read
    const move = (dx, dy) => () => (viewport.pan(dx, dy), read());
    const zoom = (factor) => () => (viewport.zoom(factor), read());
    const layout = (name) => () => this.set({ layout: name }, true);
    const views = this.views();
    const actions = {
      ArrowLeft: move(STEP, 0), ArrowRight: move(-STEP, 0), ArrowUp: move(0, STEP), ArrowDown: move(0, -STEP),
      "+": zoom(1.5), "=": zoom(1.5), "-": zoom(1 / 1.5), 0: () => this.fit(),
      g: layout("grid"), s: layout("swipe"), o: layout("single"),
      v: () => this.set({ view: views[(views.indexOf(look.view) + 1) % views.length] }, true),
      l: () => this.set({ outlines: !look.outlines }, true),
      "[": () => this.divide(look.divider - 0.05), "]": () => this.divide(look.divider + 0.05),
      " ": () => this.flicker(true), "?": () => this.help.showModal(),
    };
    const number = Number(event.key);
    const action = actions[event.key] ?? (look.layout === "single" && number >= 1 && number <= this.sources.length
      ? () => this.set({ first: number - 1 }, true) : null);
    if (!action) return;
    event.preventDefault();
    action();
    this.root.focus({ preventScroll: true });
  }

  divide(share) {
    this.set({ divider: Math.max(0, Math.min(1, share)) });
  }

  onDividerKey(event) {
    const step = { ArrowLeft: -0.05, ArrowRight: 0.05 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    this.divide(this.look.divider + step);
  }

  dragDivider(event, pane) {
    event.stopPropagation();
    pane.divider.setPointerCapture(event.pointerId);
    const follow = (moved) => {
      const box = pane.stage.getBoundingClientRect();
      this.divide((moved.clientX - box.left) / box.width);
    };
    pane.divider.addEventListener("pointermove", follow);
    pane.divider.addEventListener("lostpointercapture", () => pane.divider.removeEventListener("pointermove", follow), { once: true });
  }

  /** Read the pixel under the pointer in every pane at once; null where there is none. */
  point(at) {
    const { width, height } = this.data.picture;
    const x = at ? Math.floor(at.x) : -1, y = at ? Math.floor(at.y) : -1;
    this.pointer = x >= 0 && y >= 0 && x < width && y < height ? { x, y } : null;
    this.placeMarks();
    if (!this.pointer) return;
    const index = y * width + x;
    const answers = this.sources.slice(1).filter((source) => source.ids).map((source) => ({ source, ...this.read(source, index) }));
    for (const pane of this.panes) {
      pane.says.textContent = pane.shown.map((shown) => answers.find(({ source }) => source === shown)?.words ?? "").filter(Boolean).join(" | ");
    }
    const said = answers.filter(({ source }) => this.models.includes(source));
    const differ = said.some((a) => said.some((b) => contradict(a.source, a.name, b.source, b.name)));
    const verdict = said.length < 2 ? "" : differ ? " · ≠ the models disagree" : " · = none disagrees";
    const lines = answers.map(({ source, words }) => `${source.title}: ${words}`);
    this.readout.textContent = `${x}, ${y} ${this.colorAt(x, y)}${verdict} · ${lines.join(" · ")}`;
    this.readout.dataset.pixel = `${x},${y}`;
  }

  read(source, index) {
    const id = source.ids[index];
    const called = source.classes[id] ?? "no class";
    const sure = source.confidence && id !== VOID ? ` ${Math.round(source.confidence.at(index) / 2.55)} %` : "";
    const number = source.objects?.[index];
    const object = number ? `, object ${number} (${Math.round(100 * source.scores[number - 1])} %)` : "";
    return { name: source.names[id], words: called + sure + object };
  }

  colorAt(x, y) {
    if (!this.bitmap) return "";
    const { width, height } = this.data.picture;
    const column = Math.floor((x * this.bitmap.width) / width), row = Math.floor((y * this.bitmap.height) / height);
    const at = 4 * (row * this.bitmap.width + column);
    return "#" + [...this.colors.slice(at, at + 3)].map((value) => value.toString(16).padStart(2, "0")).join("");
  }

  placeMarks() {
    for (const pane of this.panes) {
      pane.mark.hidden = this.pointer === null;
      if (!this.pointer) continue;
      const { x, y } = this.viewport.toPane({ x: this.pointer.x + 0.5, y: this.pointer.y + 0.5 });
      pane.mark.style.transform = `translate(${x}px, ${y}px)`;
    }
  }

  // Drawing ----------------------------------------------------------------------------------------------------------

  measure() {
    const stage = this.panes[0]?.stage;
    if (!stage?.clientWidth) return;
    this.viewport.resize(stage.clientWidth, stage.clientHeight);
    if (this.place) this.viewport.restore(this.place);
    this.place = null;
    this.redraw();
  }

  redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const columns = this.viewport.columns(ratio), rows = this.viewport.rows(ratio);
    if (!columns.length || !rows.length) return;
    const base = this.drawPicture(columns.length, rows.length);
    for (const pane of this.panes) {
      for (const canvas of [pane.picture, pane.classes]) {
        if (canvas.width !== columns.length || canvas.height !== rows.length) {
          canvas.width = columns.length;
          canvas.height = rows.length;
        }
      }
      if (base) pane.picture.getContext("2d").drawImage(base, 0, 0);
      this.drawClasses(pane, columns, rows);
      // While all is in view there is nothing to move: one finger scrolls the page.
      pane.stage.style.touchAction = this.viewport.isFitted ? "pan-y" : "none";
      if (pane.divider) {
        pane.divider.style.left = `${100 * this.look.divider}%`;
        pane.divider.ariaValueNow = String(Math.round(100 * this.look.divider));
      }
    }
    this.placeMarks();
  }

  /** The visible part of the picture once for all panes: they show the same. */
  drawPicture(width, height) {
    if (!this.bitmap) return null;
    this.base ??= new OffscreenCanvas(1, 1);
    if (this.base.width !== width || this.base.height !== height) {
      this.base.width = width;
      this.base.height = height;
    }
    const context = this.base.getContext("2d");
    const shrunk = this.bitmap.width / this.data.picture.width;
    const { viewport } = this;
    context.clearRect(0, 0, width, height);
    context.imageSmoothingEnabled = viewport.scale < NEAREST_FROM;
    context.drawImage(
      this.bitmap, viewport.left * shrunk, viewport.top * shrunk,
      (viewport.pane.width / viewport.scale) * shrunk, (viewport.pane.height / viewport.scale) * shrunk, 0, 0, width, height,
    );
    return this.base;
  }

  drawClasses(pane, columns, rows) {
    const context = pane.classes.getContext("2d");
    const image = (pane.image = this.fitting(pane.image, columns.length, rows.length));
    const out = new Uint32Array(image.data.buffer);
    const shown = this.isFlickering ? [this.sources[this.look.second]] : pane.shown;
    if (shown.length === 1) {
      this.paintSource(shown[0], out, columns, rows);
    } else {
      const middle = Math.round(this.look.divider * columns.length);
      this.paintSource(shown[0], out, columns.map((column, x) => (x < middle ? column : -1)), rows);
      this.second = this.second?.length === out.length ? this.second : new Uint32Array(out.length);
      this.paintSource(shown[1], this.second, columns.map((column, x) => (x >= middle ? column : -1)), rows);
      for (let i = 0; i < out.length; i++) if (i % columns.length >= middle) out[i] = this.second[i];
    }
    context.putImageData(image, 0, 0);
    pane.classes.ariaLabel = shown.map((source) => this.describe(source)).join(" | ");
  }

  paintSource(source, out, columns, rows) {
    const view = source === this.truth && this.look.view !== "classes" ? "classes" : this.look.view;
    const shade = source.ids ? VIEWS[view].shade(source, this) : null;
    if (shade && !(view === "errors" && !this.truth.ids)) paint(out, source.ids, this.data.picture.width, columns, rows, shade);
    else out.fill(0);
  }

  fitting(image, width, height) {
    return image?.width === width && image.height === height ? image : new ImageData(width, height);
  }

  /** In words for people who do not see it. */
  describe(source) {
    if (!source.counts) return source.title;
    const total = this.data.picture.width * this.data.picture.height;
    const shares = [...source.counts.entries()].filter(([id, count]) => count && source.classes[id]).sort((a, b) => b[1] - a[1]).slice(0, 6);
    return `${source.title}: ${shares.map(([id, count]) => `${source.classes[id]} ${Math.round((100 * count) / total)} %`).join(", ")}`;
  }

  // What is remembered: settings for the browser's session, and all in the address, so that a link shows the same -------

  remember() {
    const { hidden, ...plain } = this.look;
    const at = this.viewport.record();
    sessionStorage.setItem(STORED, JSON.stringify({ ...plain, hidden: [...hidden], at, picture: this.shown }));
    clearTimeout(this.writing);
    this.writing = setTimeout(() => {
      const link = { layout: plain.layout, view: plain.view, first: plain.first, second: plain.second, hide: [...hidden], at };
      history.replaceState(history.state, "", `#view=${encodeURIComponent(JSON.stringify(link))}`);
    }, 200);
  }

  remembered() {
    try {
      const [, written] = location.hash.match(/^#view=(.+)$/) ?? [];
      const { at: keptAt, picture, ...kept } = JSON.parse(sessionStorage.getItem(STORED) ?? "{}");
      const { at, hide, layout, view, first, second } = written ? JSON.parse(decodeURIComponent(written)) : {};
      const place = written ? at : keptAt;
      const isPlace = Array.isArray(place) && place.length === 3 && place.every(Number.isFinite);
      this.linked = { at: isPlace ? place : null, picture: written ? undefined : picture };
      const hidden = hide ?? kept.hidden;
      const linked = written ? { layout, view, first, second } : {};
      return { ...kept, ...linked, hidden: hidden ? new Set(hidden) : null };
    } catch {
      return {}; // somebody changed the address by hand
    }
  }

  end() {
    this.ended.abort();
    this.resizing.disconnect();
    clearTimeout(this.writing); // or the place would be written into the next page's address
    this.turn = null;
    cancelAnimationFrame(this.frame);
  }
}

/** Called by Streamlit when the component comes, and again whenever its data change. */
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".viewer");
  root.viewer ??= new Viewer(root);
  root.viewer.show(data);
  return () => {
    root.viewer?.end();
    root.viewer = null;
  };
}
