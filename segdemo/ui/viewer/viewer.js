// The viewer: panes that show one picture as several models see it, through one window that all share.

class Viewer {
  constructor(root) {
    this.root = root;
    const { look, at, picture } = remembered();
    this.look = look;
    this.waiting = { at, picture }; // the place to go to once the picture is known
    this.lit = null;
    this.pointer = null;
    this.isFlickering = false;
    this.touches = new Map();
    this.resizing = new ResizeObserver(() => this.measure());
    this.ended = new AbortController(); // the root may outlive this viewer
    const { signal } = this.ended;
    root.addEventListener("keydown", (event) => onKey(this, event), { signal });
    root.addEventListener("keyup", (event) => event.key === " " && this.flicker(false), { signal });
    root.addEventListener("focusout", () => this.flicker(false), { signal });
    document.addEventListener("segdemo-news", () => this.hear(), { signal });
  }

  /** Show what the server sent: the picture, its models and their classes. */
  async show(data) {
    const { run, ...shown } = data;
    this.run = run;
    const told = JSON.stringify(shown);
    if (told === this.told) return; // Streamlit calls at every run of the page
    this.told = told;
    this.data = data;
    const standing = JSON.stringify([data.picture, data.classes, data.truth, data.models.map(({ key, title }) => [key, title])]);
    const stands = standing === this.standing;
    this.standing = standing;
    if (stands) this.models.forEach((model, i) => renew(model, data.models[i]));
    else this.gather(data);
    if (!this.models.length) return this.root.replaceChildren(); // all have failed
    this.relate(data.shared);
    if (!stands || this.awaited) delete this.root.dataset.ready;
    if (stands) this.refresh();
    else this.build();
    await this.load();
  }

  /** What has become known since the server sent its data, in the same run of the page (news.js). */
  hear() {
    const { shown, waiting } = window.segdemoNews ?? {};
    if (shown?.run !== this.run) return;
    this.show(shown);
    if (waiting) this.wait(waiting);
  }

  /** How far the model is that is at work: { key, words, share }, the share null where nobody knows. */
  wait(work) {
    this.work = work;
    this.showWork();
  }

  /** The sources, of which there is nothing but the names yet. */
  gather({ picture, classes, models, truth }) {
    this.classes = classes;
    this.models = models.map((model) => ({ ...model }));
    this.truth = truth ? { ...truth, title: "Labels" } : null;
    this.sources = [{ title: "Picture" }, ...this.models, ...(this.truth ? [this.truth] : [])];
    const places = new Map(classes.map(({ name }, place) => [name, place]));
    for (const source of this.sources.slice(1)) {
      source.names = Int16Array.from({ length: 256 }, (_, id) => places.get(source.classes[id]) ?? -1);
    }
    if (this.shown !== picture.url) this.begin(picture);
  }

  /** By which classes two sources are held against each other. */
  relate(shared) {
    for (const source of this.sources) source.verdicts = new Map();
    for (const [first, second, ofFirst, ofSecond] of shared) {
      const [a, b] = [this.sources[first], this.sources[second]];
      a.verdicts.set(b, verdictsOf(ofFirst, ofSecond));
      b.verdicts.set(a, verdictsOf(ofSecond, ofFirst));
    }
  }

  /** The model that is at work, the first without an answer; undefined when all have answered. */
  get awaited() {
    return this.models.find((model) => model.url === null);
  }

  /** Another picture: all of it, unless its place is remembered. */
  begin(picture) {
    this.viewport = new Viewport(picture.width, picture.height);
    this.shown = picture.url;
    this.bitmap = null;
    const { at, picture: whose } = this.waiting ?? {};
    this.place = at && (whose === null || whose === picture.url) ? at : null;
    this.waiting = null;
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
    for (const source of this.sources) {
      if (source.url && !source.ids) loading.push(this.loadSource(source).then(arrived).catch(failed(source.title)));
    }
    await Promise.all(loading);
    if (this.turn !== turn) return;
    fillLegend(this);
    fillRegions(this);
    this.remember();
    this.redraw();
    if (!this.awaited) this.root.dataset.ready = picture.url;
  }

  async loadSource(source) {
    const { url, confidenceUrl, objectsUrl } = source;
    const [labels, confidence, objects] = await Promise.all([
      decode(url), confidenceUrl && decode(confidenceUrl), objectsUrl && decode(objectsUrl),
    ]);
    if (source.url !== url) return; // it has answered anew meanwhile
    source.confidence = confidence && new Scaled(confidence, this.data.picture);
    source.objects = objects && numbersOf(objects, this.data.picture.height);
    source.counts = countIds(labels.values);
    source.ids = labels.values;
  }

  async loadPicture(url) {
    const bitmap = await fetchBitmap(url);
    if (this.shown !== url) return; // another one has been asked for meanwhile
    this.colors = pixelsOf(bitmap);
    this.bitmap = bitmap;
  }

  // What stands on the page ------------------------------------------------------------------------------------------

  build() {
    if (!this.views().includes(this.look.view)) this.look.view = "classes";
    this.resizing.disconnect();
    this.panes = this.paneSources().map((source) => this.makePane(source));
    this.legend = element("div", { className: "legend", role: "group", ariaLabel: "Classes" });
    this.regions = element("div", { className: "regions", role: "group", ariaLabel: "Where they disagree the most", hidden: true });
    this.readout = element("p", { className: "readout", role: "status" }, "Point at a pixel to read what each model says.");
    this.note = element("p", { className: "note", hidden: true });
    this.help = makeHelp();
    const grid = element("div", { className: `panes ${this.layout}` }, ...this.panes.map((pane) => pane.figure));
    this.toolbar = makeToolbar(this);
    this.key = makeKey(this);
    this.root.replaceChildren(this.toolbar, this.key, grid, this.readout, this.note, this.legend, this.regions, this.help);
    this.root.tabIndex = 0;
    this.root.setAttribute("aria-label", "Viewer: press question mark for the list of keys");
    this.resizing.observe(this.panes[0].stage);
    fillLegend(this);
    fillRegions(this);
    this.showWork();
    this.measure();
  }

  /** The same panes with what is known by now; what the person holds or reads stays. */
  refresh() {
    this.keepFocus(() => {
      for (const [name, made] of [["toolbar", makeToolbar(this)], ["key", makeKey(this)]]) {
        if (made.isEqualNode(this[name])) continue;
        this[name].replaceWith(made);
        this[name] = made;
      }
    });
    for (const pane of this.panes) pane.says.textContent = timesOf(pane.shown);
    this.showWork();
  }

  /** Do what replaces controls, and focus the one of the same name that had the focus. */
  keepFocus(replace) {
    const focused = this.root.getRootNode().activeElement?.ariaLabel;
    replace();
    if (!focused || this.root.contains(this.root.getRootNode().activeElement)) return;
    [...this.root.querySelectorAll("select, [role=separator]")].find((one) => one.ariaLabel === focused)?.focus();
  }

  /** In the panes of the models that have not answered how far they are; where these are out of sight, in the one pane. */
  showWork() {
    const { awaited } = this;
    for (const { shown, work } of this.panes) {
      const about = shown.find((source) => source.url === null) ?? (this.layout === "grid" ? undefined : awaited);
      work.box.hidden = about === undefined;
      if (about === undefined) continue;
      const isAtWork = about === awaited, told = isAtWork && this.work?.key === about.key ? this.work : null;
      const whose = shown.length === 1 && shown[0] === about ? "" : `${about.title}: `;
      work.words.textContent = whose + (told?.words ?? (isAtWork ? "Starting …" : "Waits for its turn"));
      const share = told?.share ?? null;
      work.bar.hidden = share === null;
      if (share !== null) work.bar.value = share;
    }
  }

  /** By pane what it shows; the swipe's one pane shows two. */
  paneSources() {
    if (this.layout === "grid") return this.sources.map((source) => [source]);
    const first = this.sources[this.first];
    return this.layout === "swipe" ? [[first, this.sources[this.second]]] : [[first]];
  }

  makePane(shown) {
    const picture = element("canvas", { className: "picture" });
    const classes = element("canvas", { className: "classes", role: "img" });
    const mark = element("div", { className: "mark", hidden: true });
    const says = element("div", { className: "says" }, timesOf(shown));
    const work = makeWork();
    const stage = element("div", { className: "stage" }, picture, classes, mark, work.box);
    const { width, height } = this.data.picture;
    stage.style.aspectRatio = `${width} / ${height}`;
    const caption = element("figcaption", {}, element("b", {}, shown.map((source) => source.title).join(" | ")), says);
    const pane = { shown, picture, classes, mark, says, work, stage, figure: element("figure", {}, caption, stage) };
    if (shown.length === 2) stage.append((pane.divider = makeDivider(this, stage)));
    listenToPointer(this, stage);
    return pane;
  }

  say(sentence) {
    this.note.textContent = sentence;
    this.note.hidden = false;
  }

  // What the person has set ------------------------------------------------------------------------------------------

  get layoutName() {
    return this.models.length > 1 ? "layout" : "layoutOfOne";
  }

  get layout() {
    return this.look[this.layoutName];
  }

  /** The place of the source on the left, or of the only one. */
  get first() {
    return Math.min(this.look.first ?? 1, this.sources.length - 1);
  }

  /** The one on the right, or behind the space bar: the next model, or the bare picture behind the only one. */
  get second() {
    return Math.min(this.look.second ?? (this.models.length > 1 ? 2 : 0), this.sources.length - 1);
  }

  views() {
    return Object.keys(VIEWS).filter((key) => VIEWS[key].isThere(this));
  }

  /** The models that a source is held against. */
  rivals(source) {
    const others = this.models.filter((model) => model !== source && model.ids);
    const chosen = others.filter((model) => model.key === this.look.against);
    return chosen.length ? chosen : others;
  }

  rivalsTitle() {
    const chosen = this.models.find((model) => model.key === this.look.against);
    return chosen && this.models.length > 2 ? chosen.title : this.models.length > 2 ? "some other" : "the other";
  }

  isHidden(one) {
    return !(this.look.choices.get(one.name) ?? !one.background);
  }

  set(change, rebuild = false) {
    Object.assign(this.look, change);
    if (rebuild) this.keepFocus(() => this.build());
    else if ("safe" in change) fillLegend(this);
    this.remember();
    this.redraw();
  }

  setLayout(layout) {
    this.set({ [this.layoutName]: layout }, true);
  }

  divide(share) {
    this.set({ divider: Math.max(0, Math.min(1, share)) });
  }

  /** Hide these classes, by name, and show all others. */
  hide(names) {
    for (const { name, background } of this.classes) {
      const isShown = !names.has(name);
      if (isShown === !background) this.look.choices.delete(name);
      else this.look.choices.set(name, isShown);
    }
    this.remember();
    markLegend(this);
    this.redraw();
  }

  toggle(name) {
    const hidden = new Set(this.classes.filter((one) => this.isHidden(one)).map((one) => one.name));
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
    if (this.isFlickering === isOn || this.layout !== "single") return;
    this.isFlickering = isOn;
    this.redraw();
  }

  fit() {
    this.viewport.fit();
    this.moved();
  }

  goTo(box) {
    this.viewport.look(box);
    this.moved();
    this.root.scrollIntoView({ block: "start", behavior: "smooth" });
  }

  moved() {
    this.remember();
    this.redraw();
  }

  /** In the session at once, in the address soon: a browser refuses to write that at every step of a drag. */
  remember() {
    const record = recordOf(this.look, this.viewport.record());
    keep(record, this.shown);
    clearTimeout(this.writing);
    this.writing = setTimeout(() => writeAddress(record, this.data.link), 200);
  }

  // The pixel under the pointer --------------------------------------------------------------------------------------

  /** Read the pixel at a place of the picture; null where there is none. */
  point(at) {
    const { width, height } = this.data.picture;
    const x = at ? Math.floor(at.x) : -1, y = at ? Math.floor(at.y) : -1;
    this.pointer = x >= 0 && y >= 0 && x < width && y < height ? { x, y } : null;
    this.placeMarks();
    if (this.pointer) readPixel(this, x, y);
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
    const shown = this.isFlickering ? [this.sources[this.second]] : pane.shown;
    if (shown.length === 1) {
      this.paintSource(shown[0], out, columns, rows);
    } else {
      const middle = Math.round(this.look.divider * columns.length);
      this.paintSource(shown[0], out, columns.map((column, x) => (x < middle ? column : -1)), rows);
      this.right = this.right?.length === out.length ? this.right : new Uint32Array(out.length);
      this.paintSource(shown[1], this.right, columns.map((column, x) => (x >= middle ? column : -1)), rows);
      for (let i = 0; i < out.length; i++) if (i % columns.length >= middle) out[i] = this.right[i];
    }
    context.putImageData(image, 0, 0);
    pane.classes.ariaLabel = shown.map((source) => this.describe(source)).join(" | ");
  }

  paintSource(source, out, columns, rows) {
    const view = source === this.truth ? "classes" : this.look.view;
    const shade = source.ids ? VIEWS[view].shade(source, this) : null;
    if (shade) paint(out, source.ids, this.data.picture.width, columns, rows, shade);
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

  end() {
    this.ended.abort();
    this.resizing.disconnect();
    clearTimeout(this.writing); // or the place would be written into the next page's address
    this.turn = null;
    cancelAnimationFrame(this.frame);
  }
}

/** What the server sends of a model, and nothing of an answer that is no more. */
function renew(model, sent) {
  const files = ["url", "confidenceUrl", "objectsUrl"];
  if (files.some((file) => model[file] !== sent[file])) Object.assign(model, { ids: null, counts: null, confidence: null, objects: null });
  Object.assign(model, sent);
}

function timesOf(shown) {
  return shown.map((source) => source.time ?? "").filter(Boolean).join(" | ");
}

/** How far a model is, over its pane. */
function makeWork() {
  const bar = element("progress", { max: 1, ariaLabel: "Progress" }), words = element("span");
  return { bar, words, box: element("div", { className: "work" }, words, bar) };
}

/** Called by Streamlit when the component comes, and again whenever its data change. */
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".viewer");
  root.viewer ??= new Viewer(root);
  root.viewer.show(data);
  root.viewer.hear();
  return () => {
    root.viewer?.end();
    root.viewer = null;
  };
}
