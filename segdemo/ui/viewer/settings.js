// What a person has set: kept for the browser's session, and in the address, so that a link shows the same.

const STORED = "segdemo.viewer";
const LAYOUTS = { grid: "Grid", swipe: "Swipe", single: "Single" };

// layoutOfOne: the layout where there is one model. against: the key of the model that others are held against, or
// "any". first, second: the places of sources, null for the usual one. choices: by class, whether it is drawn.
const USUAL = {
  layout: "grid", layoutOfOne: "single", view: "classes", against: "any", first: null, second: null, opacity: 0.55,
  threshold: 0, outlines: true, safe: false, divider: 0.5, choices: [],
};

const isShare = (value) => typeof value === "number" && value >= 0 && value <= 1;
const isFlag = (value) => typeof value === "boolean";
const isPlace = (value) => Number.isInteger(value) && value >= 0;
const CHECKS = {
  layout: (value) => Object.hasOwn(LAYOUTS, value),
  layoutOfOne: (value) => Object.hasOwn(LAYOUTS, value),
  view: (value) => Object.hasOwn(VIEWS, value),
  against: (value) => typeof value === "string",
  first: isPlace, second: isPlace, opacity: isShare, threshold: isShare, divider: isShare, outlines: isFlag, safe: isFlag,
  choices: (value) => Array.isArray(value) && value.every((pair) => typeof pair?.[0] === "string" && isFlag(pair[1])),
  at: (value) => Array.isArray(value) && value.length === 3 && value.every(Number.isFinite),
};

/** Those of a record's settings that can be true: it may come from an address that somebody has changed. */
function believable(record) {
  return Object.fromEntries(Object.entries(CHECKS).filter(([key, check]) => check(record?.[key])).map(([key]) => [key, record[key]]));
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The settings of the address, or else of the session: { look, at, picture }; `picture` is the one `at` belongs to. */
function remembered() {
  const [, written] = location.hash.match(/^#view=(.+)$/) ?? [];
  const linked = written && parsed(unescaped(written));
  const kept = parsed(sessionStorage.getItem(STORED));
  const { at = null, choices, ...look } = { ...USUAL, ...believable(kept), ...believable(linked) };
  return { look: { ...look, choices: new Map(choices) }, at: linked ? (believable(linked).at ?? null) : at, picture: linked ? null : kept?.picture };
}

function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/** The settings as they are written; at: the place in the picture, null for all of it. */
function recordOf(look, at) {
  return { ...look, choices: [...look.choices], at };
}

/** For the browser's session; picture: the address of the one that is shown. */
function keep(record, picture) {
  sessionStorage.setItem(STORED, JSON.stringify({ ...record, picture }));
}

/** What differs from the usual, behind the models and the picture of the page: `link`, null for a picture of one's own. */
function writeAddress(record, link) {
  const changed = Object.entries(record).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(USUAL[key] ?? null));
  const view = changed.length ? `#view=${encodeURIComponent(JSON.stringify(Object.fromEntries(changed)))}` : "";
  const query = new URLSearchParams({ models: link.models.join(",") });
  if (link.picture !== null) query.set("picture", link.picture);
  history.replaceState(history.state, "", `${location.pathname}?${query}${view}`);
}
