// Where the models contradict each other the most: small pictures of these parts, each a button that goes there.

const THUMB = { width: 132, height: 99 };

function fillRegions(viewer) {
  const { regions, picture } = viewer.data;
  viewer.regions.hidden = regions.length === 0;
  if (!regions.length || !viewer.bitmap) return;
  const buttons = regions.map(({ box, share, words }) => {
    const canvas = element("canvas", THUMB);
    const shrunk = viewer.bitmap.width / picture.width;
    const [left, top, right, bottom] = box.map((side) => side * shrunk);
    const scale = Math.max(THUMB.width / (right - left), THUMB.height / (bottom - top));
    const width = THUMB.width / scale, height = THUMB.height / scale;
    const middle = [(left + right - width) / 2, (top + bottom - height) / 2];
    canvas.getContext("2d").drawImage(viewer.bitmap, ...middle, width, height, 0, 0, THUMB.width, THUMB.height);
    const said = words.map((word) => element("span", {}, word));
    const title = `${Math.round(100 * share)} % of this part is contradicted. Go there.`;
    return element("button", { type: "button", className: "region", title, onclick: () => viewer.goTo(box) }, canvas, ...said);
  });
  viewer.regions.replaceChildren(element("p", { className: "caption" }, "Where they disagree the most"), ...buttons);
}
