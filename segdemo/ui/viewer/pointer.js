// Pointer, touch and keys, and what is read from the pixel under the pointer.

const STEP = 60; // screen pixels that an arrow key moves

function listenToPointer(viewer, stage) {
  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const leave = (event) => viewer.touches.delete(event.pointerId);
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    viewer.viewport.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), place(event));
    viewer.moved();
  }, { passive: false });
  stage.addEventListener("dblclick", () => viewer.fit());
  stage.addEventListener("pointerdown", (event) => {
    viewer.touches.set(event.pointerId, place(event));
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => onPointerMove(viewer, event.pointerId, place(event)));
  stage.addEventListener("pointerup", leave);
  stage.addEventListener("pointercancel", leave);
  stage.addEventListener("pointerleave", () => viewer.point(null));
}

/** One pointer that is down drags, two pinch; any is read. */
function onPointerMove(viewer, id, now) {
  const { touches, viewport } = viewer;
  const before = touches.get(id);
  if (before) {
    const [other] = [...touches].filter(([key]) => key !== id).map(([, at]) => at);
    if (other) {
      const distance = (a) => Math.hypot(a.x - other.x, a.y - other.y);
      viewport.zoom(distance(now) / Math.max(1, distance(before)), other);
    } else {
      viewport.pan(now.x - before.x, now.y - before.y);
    }
    touches.set(id, now);
    viewer.moved();
  }
  viewer.point(viewport.toPicture(now));
}

function makeDivider(viewer, stage) {
  const divider = element("div", {
    className: "divider", role: "separator", tabIndex: 0, ariaLabel: "Divider", ariaValueMin: "0", ariaValueMax: "100",
    onpointerdown: (event) => {
      event.stopPropagation();
      divider.setPointerCapture(event.pointerId);
    },
    onpointermove: (event) => {
      if (!divider.hasPointerCapture(event.pointerId)) return;
      const box = stage.getBoundingClientRect();
      viewer.divide((event.clientX - box.left) / box.width);
    },
    onkeydown: (event) => {
      const step = { ArrowLeft: -0.05, ArrowRight: 0.05 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      viewer.divide(viewer.look.divider + step);
    },
  });
  return divider;
}

function onKey(viewer, event) {
  event.stopPropagation(); // the page has arrow keys of its own
  const isTyped = /^(INPUT|SELECT)$/.test(event.target.tagName) || (event.target.tagName === "BUTTON" && /^[ ]$|Enter/.test(event.key));
  if (isTyped || viewer.help.open || event.ctrlKey || event.metaKey || event.altKey) return;
  const action = actionOf(viewer, event.key);
  if (!action) return;
  event.preventDefault();
  action();
  viewer.root.focus({ preventScroll: true });
}

function actionOf(viewer, key) {
  const { viewport, look } = viewer;
  const read = () => (viewer.moved(), viewer.point(viewport)); // without a mouse, the pixel in the middle is read
  const move = (dx, dy) => () => (viewport.pan(dx, dy), read());
  const zoom = (factor) => () => (viewport.zoom(factor), read());
  const layout = (name) => () => viewer.setLayout(name);
  const next = (all, now) => all[(all.indexOf(now) + 1) % all.length];
  const actions = {
    ArrowLeft: move(STEP, 0), ArrowRight: move(-STEP, 0), ArrowUp: move(0, STEP), ArrowDown: move(0, -STEP),
    "+": zoom(1.5), "=": zoom(1.5), "-": zoom(1 / 1.5), 0: () => viewer.fit(),
    g: layout("grid"), s: layout("swipe"), o: layout("single"),
    v: () => viewer.set({ view: next(viewer.views(), look.view) }, true),
    a: () => viewer.set({ against: next(["any", ...viewer.models.map((model) => model.key)], look.against) }, true),
    l: () => viewer.set({ outlines: !look.outlines }, true),
    "[": () => viewer.divide(look.divider - 0.05), "]": () => viewer.divide(look.divider + 0.05),
    " ": () => viewer.flicker(true), "?": () => viewer.help.showModal(),
  };
  const number = Number(key);
  const isPane = viewer.layout === "single" && number >= 1 && number <= viewer.sources.length;
  return actions[key] ?? (isPane ? () => viewer.set({ first: number - 1 }, true) : null);
}

/** What a source says of a pixel, in words. */
function wordsOf(source, index) {
  const id = source.ids[index];
  const called = source.classes[id] ?? "no class";
  const sure = source.confidence && id !== VOID ? ` ${Math.round(source.confidence.at(index) / 2.55)} %` : "";
  const number = source.objects?.[index];
  const object = number ? `, object ${number} (${Math.round(100 * source.scores[number - 1])} %)` : "";
  return called + sure + object;
}

/** Read a pixel in every pane at once. */
function readPixel(viewer, x, y) {
  const { picture } = viewer.data;
  const index = y * picture.width + x;
  const sources = viewer.sources.slice(1).filter((source) => source.ids);
  const words = new Map(sources.map((source) => [source, wordsOf(source, index)]));
  for (const pane of viewer.panes) {
    pane.says.textContent = pane.shown.map((source) => words.get(source)).filter(Boolean).join(" | ");
  }
  const models = sources.filter((source) => viewer.models.includes(source));
  const differ = models.some((a) => models.some((b) => a !== b && verdict(a, b, index) === CONTRADICTION));
  const judgement = models.length < 2 ? "" : differ ? " · ≠ the models disagree" : " · = none disagrees";
  const [column, row] = [x, y].map((at) => Math.floor((at + 0.5) * picture.scale));
  const lines = sources.map((source) => `${source.title}: ${words.get(source)}`);
  viewer.readout.textContent = `${column}, ${row} ${viewer.colorAt(x, y)}${judgement} · ${lines.join(" · ")}`;
  viewer.readout.dataset.pixel = `${x},${y}`;
}
