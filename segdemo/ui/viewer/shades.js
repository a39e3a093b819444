// Views: what the colour of a pixel says. Each gives what `paint` takes for one source's ids.

const CONFIDENCE_RAMP = rampOf([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]]);
const OBJECT_COLORS = rampOf([[230, 60, 60], [240, 200, 40], [60, 190, 90], [40, 170, 220], [120, 90, 230], [230, 80, 190]]);
const RIGHT = packed([0, 0, 0], 0.5);
const UNSURE = 0.15; // what is left of a colour below the threshold
const OTHERS = 0.25; // and of the classes that the pointer is not on

/** 256 packed colours between evenly spaced ones. */
function rampOf(stops) {
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (stops.length - 1);
    const k = Math.min(Math.floor(place), stops.length - 2);
    return packed(stops[k].map((from, c) => Math.round(from + (place - k) * (stops[k + 1][c] - from))), 0.85);
  });
}

/**
 * The tables of one source under the person's settings.
 *
 * names: by id, the class's place in `classes`, or -1. Hidden classes are transparent; while the pointer is on a class in
 * the legend, the others fade.
 */
function classTables(source, classes, look, lit) {
  const table = new Uint32Array(256);
  const edge = new Uint32Array(256);
  source.names.forEach((name, id) => {
    if (name < 0 || look.hidden.has(classes[name].name)) return;
    const color = look.safe ? classes[name].safe : classes[name].color;
    const share = lit === null || lit === name ? 1 : OTHERS;
    table[id] = packed(color, look.opacity * share);
    edge[id] = packed(color, share);
  });
  return { table, edge: look.outlines ? edge : null };
}

/**
 * Whether two sources contradict each other where one says the class `a` and the other `b` (places in `classes`, -1 for
 * none). Sources of different label sets do so only on classes that both know.
 */
function contradict(one, a, other, b) {
  return a !== b && one.knows(b) && other.knows(a);
}

const VIEWS = {
  classes: {
    title: "Classes",
    shade(source, viewer) {
      const { table, edge } = classTables(source, viewer.classes, viewer.look, viewer.lit);
      const { confidence } = source;
      const least = viewer.look.threshold * 255;
      const adjust = confidence && least > 0
        ? (color, index) => (confidence.at(index) < least ? faded(color, UNSURE) : color)
        : null;
      return { table, edge, objects: source.objects ?? null, adjust };
    },
  },
  instances: {
    title: "Instances",
    shade(source) {
      const { objects } = source;
      if (!objects) return null;
      // Numbers that follow each other get colours far apart.
      const adjust = (color, index) => (objects[index] ? OBJECT_COLORS[(objects[index] * 99) & 255] : 0);
      return { table: new Uint32Array(256), adjust };
    },
  },
  confidence: {
    title: "Confidence",
    shade(source) {
      const { confidence } = source;
      if (!confidence) return null;
      const adjust = (color, index, id) => (id === VOID ? 0 : CONFIDENCE_RAMP[confidence.at(index)]);
      return { table: new Uint32Array(256), adjust };
    },
  },
  disagreement: {
    title: "Disagreement",
    shade(source, viewer) {
      const { table } = classTables(source, viewer.classes, { ...viewer.look, opacity: 0.9 }, viewer.lit);
      const others = viewer.models.filter((model) => model !== source && model.ids);
      const adjust = (color, index, id) => {
        const name = source.names[id];
        for (const other of others) if (contradict(source, name, other, other.names[other.ids[index]])) return color;
        return RIGHT;
      };
      return { table, adjust };
    },
  },
  errors: {
    title: "Errors",
    shade(source, viewer) {
      const { table } = classTables(source, viewer.classes, { ...viewer.look, opacity: 0.9 }, viewer.lit);
      const { truth } = viewer;
      const adjust = (color, index, id) => {
        const name = truth.names[truth.ids[index]];
        if (name < 0 || !source.knows(name)) return 0; // the truth does not say, or the model could not
        return source.names[id] === name ? RIGHT : color;
      };
      return { table, adjust };
    },
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
