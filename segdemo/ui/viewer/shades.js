// Views: what the colour of a pixel says. Each gives what `paint` takes for one source's ids, and a key in words.

const CONFIDENCE_STOPS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
const CONFIDENCE_RAMP = rampOf(CONFIDENCE_STOPS);
const OBJECT_COLORS = rampOf([[230, 60, 60], [240, 200, 40], [60, 190, 90], [40, 170, 220], [120, 90, 230], [230, 80, 190]]);
const DIMMED = packed([0, 0, 0], 0.5);
const LINE = packed([255, 255, 255], 0.9);
const UNNAMED = packed([128, 128, 128], 0.9); // "no class", where that is wrong or contradicted
const MINE = [0, 158, 115], THEIRS = [230, 159, 0], NOBODYS = [120, 30, 90]; // told apart without red or green cones
const UNSURE = 0.15; // what is left of a colour below the threshold
const OTHERS = 0.25; // and of the classes that the pointer is not on

// What two sources say of a pixel, by `256 * id of one + id of the other`.
const APART = 0, SAME = 1, CONTRADICTION = 2; // APART: they cannot be held against each other
const NOTHING_SHARED = new Uint8Array(256 * 256);

/** The verdicts on each pair of ids, from the classes that two sources share: by id a number, -2 where there is none. */
function verdictsOf(first, second) {
  const verdicts = new Uint8Array(256 * 256);
  for (let a = 0; a < 256; a++) {
    for (let b = 0; b < 256; b++) {
      if (first[a] !== -2 && second[b] !== -2) verdicts[256 * a + b] = first[a] === second[b] ? SAME : CONTRADICTION;
    }
  }
  return verdicts;
}

/** What a source says of a pixel against another, both with their ids. */
function verdict(source, other, index) {
  return (source.verdicts.get(other) ?? NOTHING_SHARED)[256 * source.ids[index] + other.ids[index]];
}

/** 256 packed colours between evenly spaced ones. */
function rampOf(stops) {
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (stops.length - 1);
    const k = Math.min(Math.floor(place), stops.length - 2);
    return packed(stops[k].map((from, c) => Math.round(from + (place - k) * (stops[k + 1][c] - from))), 0.85);
  });
}

/** A pixel's colour under lines, which a hidden class has not. */
function lined(color, id, diagonal) {
  const fill = id === VOID ? UNNAMED : color;
  return fill && isLined(diagonal) ? LINE : fill;
}

/** Whether a pixel lies on one of the lines, eight pixels apart, that mark what must not be told by colour alone. */
function isLined(diagonal) {
  return (diagonal & 7) < 2;
}

/**
 * The tables of one source under the person's settings.
 *
 * names: by id, the class's place in `classes`, or -1. Hidden classes are transparent; while the pointer is on a class in
 * the legend, the others fade.
 */
function classTables(source, viewer, opacity = viewer.look.opacity) {
  const { classes, look, lit } = viewer;
  const table = new Uint32Array(256);
  const edge = new Uint32Array(256);
  source.names.forEach((name, id) => {
    if (name < 0 || viewer.isHidden(classes[name])) return;
    const color = look.safe ? classes[name].safe : classes[name].color;
    const share = lit === null || lit === name ? 1 : OTHERS;
    table[id] = packed(color, opacity * share);
    edge[id] = packed(color, share);
  });
  return { table, edge: look.outlines ? edge : null };
}

const VIEWS = {
  classes: {
    title: "Classes",
    isThere: () => true,
    shade(source, viewer) {
      const { table, edge } = classTables(source, viewer);
      const { confidence } = source;
      const least = viewer.look.threshold * 255;
      const adjust = confidence && least > 0
        ? (color, index) => (confidence.at(index) < least ? faded(color, UNSURE) : color)
        : null;
      return { table, edge, objects: source.objects ?? null, adjust };
    },
    key: () => [],
  },
  instances: {
    title: "Instances",
    isThere: (viewer) => viewer.models.some((model) => model.objectsUrl),
    shade(source) {
      const { objects } = source;
      if (!objects) return null;
      // Numbers that follow each other get colours far apart.
      const adjust = (color, index) => (objects[index] ? OBJECT_COLORS[(objects[index] * 99) & 255] : 0);
      return { table: new Uint32Array(256), adjust };
    },
    key: () => [[null, "Every object has a colour of its own; models that tell no objects apart show the picture."]],
  },
  confidence: {
    title: "Confidence",
    isThere: (viewer) => viewer.models.some((model) => model.confidenceUrl),
    shade(source) {
      const { confidence } = source;
      if (!confidence) return null;
      const adjust = (color, index, id) => (id === VOID ? 0 : CONFIDENCE_RAMP[confidence.at(index)]);
      return { table: new Uint32Array(256), adjust };
    },
    key: () => CONFIDENCE_STOPS.map((color, i) => [{ color }, `${(100 * i) / (CONFIDENCE_STOPS.length - 1)} %`]),
  },
  disagreement: {
    title: "Disagreement",
    isThere: (viewer) => viewer.models.length > 1,
    isAgainst: true,
    shade(source, viewer) {
      const { table } = classTables(source, viewer, 0.9);
      const rivals = viewer.rivals(source);
      const adjust = (color, index, id, diagonal) => {
        for (const other of rivals) {
          if (verdict(source, other, index) === CONTRADICTION) return lined(color, id, diagonal);
        }
        return DIMMED;
      };
      return { table, adjust };
    },
    key: (viewer) => [
      [{ color: [0, 0, 0], opacity: 0.5 }, "nobody contradicts"],
      [{ color: [128, 128, 128], isLined: true }, `${viewer.rivalsTitle()} contradicts; the colour is what this model says`],
    ],
  },
  errors: {
    title: "Errors",
    isThere: (viewer) => viewer.truth !== null,
    shade(source, viewer) {
      const { truth } = viewer;
      if (!truth.ids) return null;
      const { table } = classTables(source, viewer, 0.9);
      const colors = [0, DIMMED];
      const adjust = (color, index, id, diagonal) => {
        const said = verdict(source, truth, index);
        return said === CONTRADICTION ? lined(color, id, diagonal) : colors[said];
      };
      return { table, adjust };
    },
    key: () => [
      [{ color: [0, 0, 0], opacity: 0.5 }, "right"],
      [{ color: [128, 128, 128], isLined: true }, "wrong; the colour is what the model says"],
      [null, "Bare picture: no label, or a class that the model does not know."],
    ],
  },
  winners: {
    title: "Who is right",
    isThere: (viewer) => viewer.truth !== null && viewer.models.length > 1,
    isAgainst: true,
    shade(source, viewer) {
      const { truth } = viewer;
      if (!truth.ids) return null;
      const rivals = viewer.rivals(source);
      const mine = packed(MINE, 0.8), theirs = packed(THEIRS, 0.8), nobodys = packed(NOBODYS, 0.8);
      const adjust = (color, index, id, diagonal) => {
        const said = verdict(source, truth, index);
        if (said === APART) return 0;
        const isTheirs = rivals.some((other) => verdict(other, truth, index) === SAME);
        if (said === SAME) return isTheirs ? DIMMED : mine;
        if (isTheirs) return isLined(diagonal) ? LINE : theirs;
        return isLined(diagonal >> 1) ? LINE : nobodys;
      };
      return { table: new Uint32Array(256), adjust };
    },
    key: (viewer) => [
      [{ color: MINE }, "only this model is right"],
      [{ color: THEIRS, isLined: true }, `only ${viewer.rivalsTitle()} is right`],
      [{ color: [0, 0, 0], opacity: 0.5 }, "both are right"],
      [{ color: NOBODYS, isLined: true }, "neither is"],
    ],
  },
};

/** Confidences that were sent at a smaller size than the picture's. */
class Scaled {
  constructor({ width, height, values }, picture) {
    this.values = values;
    this.pictureWidth = picture.width;
    this.columns = Uint32Array.from({ length: picture.width }, (_, x) => Math.floor((x * width) / picture.width));
    this.rows = Uint32Array.from({ length: picture.height }, (_, y) => Math.floor((y * height) / picture.height) * width);
  }

  at(index) {
    const row = Math.floor(index / this.pictureWidth);
    return this.values[this.rows[row] + this.columns[index - row * this.pictureWidth]];
  }
}
